import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from latentloop.encoders import EmbedderConfig, make_embedder, save_embedder
from latentloop.generators import MobileStyleGAN, load_generator
from latentloop.generators.mobilestylegan import Shape
from latentloop.generators.registry import save_generator
from latentloop.images import write_png
from latentloop.latents import sample_codes

Load = Callable[[str], ModuleType]
TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)


def test_runs_are_drawn_one_after_the_other(load_script: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, batch, steps in (("first", 4, (500, 1000)), ("second", 8, (250,))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"config": {"batch": batch}}))
        lines = [json.dumps({"step": step, "val_lpips": 1 / step, "val_mse": 2 / step}) for step in steps]
        (tmp_path / name / "log.jsonl").write_text("\n".join(lines) + "\n")
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    load_script("training_curve").Curve((tmp_path / "first", tmp_path / "second")).run()
    lpips, mse = drawn[0].axes
    assert [np.asarray(line.get_xdata()).tolist() for line in lpips.lines] == [[2.0, 4.0], [6.0]]
    assert [np.asarray(line.get_ydata()).tolist() for line in mse.lines] == [[2 / 500, 2 / 1000], [2 / 250]]


def test_both_starts_are_followed_and_drawn(
    load_script: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generator = MobileStyleGAN(Shape(w_dim=8, num_ws=6, channels=(8, 8, 8)), name="small", fingerprint="")
    randomness = torch.Generator().manual_seed(0)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=randomness)
    save_generator(tmp_path / "small.safetensors", generator)
    small = load_generator(tmp_path / "small.safetensors")
    save_embedder(tmp_path / "network.safetensors", make_embedder(TINY, small, seed=0))
    photos = [tmp_path / "a.png", tmp_path / "b.png"]
    for photo, w_plus in zip(photos, sample_codes(small, 2, randomness=randomness), strict=True):
        write_png(photo, small.synthesis(w_plus[None]))
    files = {"generator": str(tmp_path / "small.safetensors"), "embedder": str(tmp_path / "network.safetensors")}
    load_script("convergence").Convergence(photos[0], (photos[1],), **files, steps=4, out=tmp_path / "curve.png").run()
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()]
    assert [row[0].strip() for row in rows[2:]] == ["`w_e`", "`latent_avg`"]
    for row in rows[2:]:
        assert float(row[-1]) < float(row[1])
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.width > 500
