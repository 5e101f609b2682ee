from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from latentloop.defaults import GENERATOR
from latentloop.embedding.components import Components
from latentloop.features.lpips import Lpips, load_lpips
from latentloop.losses import LossConfig


def test_the_loss_and_the_metrics_read_each_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: Counter[str] = Counter()
    read = Path.read_bytes

    def counted(path: Path) -> bytes:
        reads[path.name] += 1
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    parts = Components(GENERATOR, torch.device("cpu"), torch.float32)
    for config in (LossConfig(lambda_identity=0.5), LossConfig(lambda_identity=0.5, identity_layers="all")):
        parts.loss(config)
    assert parts.evaluator
    assert reads == {"lpips-alex.safetensors": 1, "mobilefacenet.safetensors": 1}


def test_losses_of_other_weights_share_their_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(net: str, **options: Any) -> Lpips:  # noqa: ANN401
        loaded.append(net)
        return load_lpips(net, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("latentloop.embedding.components.load_lpips", load)
    monkeypatch.setattr("latentloop.losses.iterator.load_lpips", lambda *_, **__: pytest.fail("loaded again"))
    parts = Components(GENERATOR, torch.device("cpu"), torch.float32)
    for weight in (0.3, 0.0):
        parts.loss(LossConfig(lambda_identity=weight))
    parts.loss(LossConfig(lambda_lpips=0.0))
    assert loaded == ["alex"]


def test_the_largest_renderer_is_loaded_once_whether_it_is_named_or_not() -> None:
    parts = Components("mobile-ffhq-256", torch.device("cpu"), torch.float32)
    assert parts.renderer() is parts.renderer(1024)
    assert parts.renderer(256) is parts.generator
