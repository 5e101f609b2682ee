"""What the README shows is run."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from latentloop import load_generator
from latentloop.cli import parse
from latentloop.images import read_image
from latentloop.latents import code_file, mean_code

ROOT = Path(__file__).parents[1]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_python_example_runs(portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = blocks("README.md", "python")
    assert "steps=50" in example
    shutil.copy(portrait, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(example.replace("steps=50", "steps=1"), {})  # noqa: S102 - our own README
    assert (tmp_path / "reconstruction.png").stat().st_size > 100_000


def test_the_python_example_of_editing_runs(
    portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_code: Callable[..., code_file.Code]
) -> None:
    (example,) = blocks("docs/editing.md", "python")
    generator = load_generator()
    quad = torch.tensor([[257.0, 74.0], [255.0, 622.0], [803.0, 624.0], [805.0, 76.0]], dtype=torch.float64)
    code = make_code(w_plus=mean_code(generator)[0], fingerprint=generator.fingerprint, quad=quad)
    code_file.save_code(tmp_path / "embedded" / "photo.npz", code)
    shutil.copy(portrait, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(example, {})  # noqa: S102 - our own page
    assert read_image(tmp_path / "edited.png").shape == read_image(portrait).shape


@pytest.mark.parametrize("page", ["README.md", "docs/editing.md", "docs/directions.md"])
def test_the_commands_are_ones_that_the_program_takes(page: str) -> None:
    lines = "\n".join(blocks(page, "bash")).splitlines()
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("latentloop ")]
    assert len(commands) >= 4
    for command in commands:
        parse(command)


def test_the_code_file_page_names_every_array(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "code-file.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)
    module = re.findall(r"^\| `(\w+)` \|", code_file.__doc__ or "", flags=re.MULTILINE)
    with np.load(_saved(tmp_path)) as arrays:
        assert sorted(arrays) == sorted(documented) == sorted(module)


def _saved(folder: Path) -> Path:
    path = folder / "code.npz"
    quad, losses = torch.zeros(4, 2, dtype=torch.float64), torch.zeros(1)
    code_file.save_code(path, code_file.Code(torch.zeros(2, 3), "w+", "toy", "0", quad, (1, 1), losses, 0))
    return path
