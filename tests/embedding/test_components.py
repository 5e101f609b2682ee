from collections import Counter
from pathlib import Path

import pytest
import torch

from latentloop.defaults import GENERATOR
from latentloop.embedding.components import Components
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
