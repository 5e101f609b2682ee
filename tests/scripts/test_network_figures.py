from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image

from latentloop.encoders import EmbedderConfig, make_embedder, save_embedder
from latentloop.generators import MobileStyleGAN, load_generator
from latentloop.generators.mobilestylegan import Shape
from latentloop.generators.registry import save_generator
from latentloop.images import write_png
from latentloop.latents import sample_codes

Load = Callable[[str], ModuleType]
TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)


def test_networks_are_measured_by_part_and_drawn_side_by_side(
    load_script: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load_script("network_figures")
    monkeypatch.setattr(script, "keep_freed_memory", lambda: False)
    generator = MobileStyleGAN(Shape(w_dim=8, num_ws=6, channels=(8, 8, 8)), name="small", fingerprint="")
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(0))
    save_generator(tmp_path / "small.safetensors", generator)
    small = load_generator(tmp_path / "small.safetensors")
    networks = [str(tmp_path / f"{seed}.safetensors") for seed in (0, 1)]
    for seed, path in enumerate(networks):
        save_embedder(Path(path), make_embedder(TINY, small, seed=seed))
    faces = tmp_path / "faces"
    names = ("gen-1.png", "gen-2.png", "real-1.png")
    for name, w_plus in zip(names, sample_codes(small, 3, randomness=torch.Generator().manual_seed(1)), strict=True):
        write_png(faces / name, small.synthesis(w_plus[None]))
    files = {"photos": (str(faces),), "generator": str(tmp_path / "small.safetensors")}
    script.Figures(tuple(networks), **files, sheet=tmp_path / "sheet.png", shown=2).run()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines if line.startswith("|")] == 2 * [
        "part",
        "---",
        "gen",
        "real",
        "mean",
    ]
    assert lines[3].split("|")[2].strip() == "2"
    with Image.open(tmp_path / "sheet.png") as picture:
        assert (picture.width // 3, picture.height // 2) == (32, 32)
