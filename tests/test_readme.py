"""What the README shows is run."""

import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from latentloop import load_generator
from latentloop.cli import parse
from latentloop.encoders import PRESETS, make_embedder, save_embedder
from latentloop.generators import Refinement
from latentloop.generators.mobilestylegan import MobileStyleGAN, Shape
from latentloop.generators.registry import save_generator
from latentloop.images import read_image, write_png
from latentloop.latents import code_file, load_code, mean_code, refinement_arrays, sample_codes

ROOT = Path(__file__).parents[1]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)


SHORTER = {
    '"photo.jpg")  # a path': '"photo.jpg", steps=2)  # a path',
    "steps=50, lr=0.08": "steps=2, lr=0.08",
    'device="cuda"': 'device="cpu"',
    'out="codes"': 'out="codes", steps=0',
    'identity="none"': 'identity="none", steps=2, batch=2, validation_images=2, device="cpu"',
}
"""What a test has no time, or no device, for."""


@pytest.fixture
def here(portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of someone who tries the examples: a photo, a holiday, a StyleGAN of cats and its network."""
    (tmp_path / "holiday").mkdir()
    for name in ("photo.jpg", "holiday/beach.jpg"):
        shutil.copy(portrait, tmp_path / name)
    cats = MobileStyleGAN(Shape(w_dim=8, num_ws=6, channels=(8, 8, 8)), name="cats", fingerprint="")
    randomness = torch.Generator().manual_seed(0)
    for parameter in cats.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=randomness)
    save_generator(tmp_path / "cats.pkl", cats)
    generator = load_generator(tmp_path / "cats.pkl")
    for i, w_plus in enumerate(sample_codes(generator, 3, randomness=randomness)):
        write_png(tmp_path / "cats" / f"{i}.png", generator.synthesis(w_plus[None]))
    config = replace(PRESETS["small"], resolution=32, identity="none")
    save_embedder(tmp_path / "run" / "best.safetensors", make_embedder(config, generator, seed=0))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_examples_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    *front, parts = blocks("docs/python.md", "python")
    assert blocks("README.md", "python") == front[:1]
    jobs = "".join(front)
    for long, short in SHORTER.items():
        assert long in jobs
        jobs = jobs.replace(long, short)
    scope: dict[str, object] = {}
    (here / "run").rename(here / "earlier")  # the example ends with the training that its network is from
    exec(jobs.replace("run/best", "earlier/best"), scope)  # noqa: S102 - our own README
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("{'mse': ")
    assert lines[1].startswith("beach 0.")
    assert read_image("edited.png").shape == read_image("photo.jpg").shape
    assert load_code("photo.npz").w_plus.shape == (16, 512)
    assert {"best.safetensors", "config.json"} <= {path.name for path in (here / "run").iterdir()}
    (here / "reconstruction.png").unlink()
    exec(parts.replace("steps=50", "steps=1"), scope)  # noqa: S102 - our own README
    assert (here / "reconstruction.png").stat().st_size > 100_000


def test_the_python_examples_of_editing_run(
    portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_code: Callable[..., code_file.Code]
) -> None:
    model, parts = blocks("docs/editing.md", "python")
    generator = load_generator()
    quad = torch.tensor([[257.0, 74.0], [255.0, 622.0], [803.0, 624.0], [805.0, 76.0]], dtype=torch.float64)
    code = make_code(w_plus=mean_code(generator)[0], fingerprint=generator.fingerprint, quad=quad)
    code_file.save_code(tmp_path / "embedded" / "photo.npz", code)
    shutil.copy(portrait, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(model, {})  # noqa: S102 - our own page
    assert {path.name for path in tmp_path.glob("*.png")} == {"smile.png", "as-found.png", "without-refinement.png"}
    exec(parts, {})  # noqa: S102 - our own page
    assert read_image(tmp_path / "edited.png").shape == read_image(portrait).shape


PAGES = ("README.md", *(f"docs/{name}.md" for name in ("embedding", "training", "editing", "directions")))
"""Pages of which each command is parsed."""


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_are_ones_that_the_program_takes(page: str) -> None:
    lines = "\n".join(blocks(page, "bash")).splitlines()
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("latentloop ")]
    assert len(commands) >= 4
    for command in commands:
        parse(command)


def test_the_code_file_page_names_every_array(make_code: Callable[..., code_file.Code], tmp_path: Path) -> None:
    page = (ROOT / "docs" / "code-file.md").read_text(encoding="utf-8")
    named = re.compile(r"^\| `(\w+)` \|", flags=re.MULTILINE)
    modules = (code_file.__doc__ or "") + (refinement_arrays.__doc__ or "")
    code_file.save_code(tmp_path / "code.npz", make_code(refinement=Refinement("toy", "0")))
    with np.load(tmp_path / "code.npz") as arrays:
        assert sorted(arrays) == sorted(named.findall(page)) == sorted(named.findall(modules))
