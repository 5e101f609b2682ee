"""Editing a real photo with the default options."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentloop.editing import find_direction
from latentloop.evaluation.measure import load_evaluator
from latentloop.generators import Generator, load_generator
from latentloop.images import read_image
from latentloop.latents.code_file import load_code

Run = Callable[..., tuple[int, list[str], list[str]]]
pytestmark = pytest.mark.usefixtures("process")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands keep codes in the folder that they run in."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator("mobile-ffhq-256")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.int16)


def test_a_smile_comes_into_the_photo_and_leaves_the_rest(
    run: Run, portrait: Path, tmp_path: Path, generator: Generator
) -> None:
    out, codes, name = tmp_path / "out", tmp_path / "embedded" / "steps0", "female-1-smile1.5"
    quick = ["--generator", generator.name, "--render", 256, "--steps", 0, "--device", "cpu"]
    status, lines, errors = run("edit", portrait, "--set", "smile=1.5", "--out", out, *quick, "--strip")
    assert (status, errors, lines[-2:]) == (0, [], [str(out / f"{name}.png"), str(out / "strips" / f"{name}.png")])
    found, edited = load_code(codes / "female-1.npz"), load_code(out / f"{name}.npz")
    expected = 1.5 * find_direction("smile", generator).change()
    torch.testing.assert_close(edited.w_plus - found.w_plus, expected, atol=1e-5, rtol=0)

    change = np.abs(pixels(out / f"{name}.png") - pixels(portrait)).max(axis=2)
    left, top = found.quad.amin(dim=0).floor().int().tolist()
    right, bottom = found.quad.amax(dim=0).ceil().int().tolist()
    outside = np.ones_like(change, dtype=bool)
    outside[top : bottom + 1, left : right + 1] = False
    assert not change[outside].any()
    side = right - left
    mouth = change[top + int(0.6 * side) : top + int(0.8 * side), left + int(0.35 * side) : left + int(0.65 * side)]
    corner = change[top : top + int(0.2 * side), left : left + int(0.2 * side)]
    assert mouth.mean() > 10
    assert corner.mean() < 1

    faces = [read_image(path) for path in (codes / "female-1.png", out / "faces" / f"{name}.png")]
    assert load_evaluator().measure(*faces)[0]["id"] > 0.6


def test_all_faces_and_the_whole_head(run: Run, portrait: Path, tmp_path: Path, generator: Generator) -> None:
    pair = tmp_path / "pair.png"
    photo = Image.open(portrait).resize((512, 512))
    both = Image.new("RGB", (1024, 512))
    for x in (0, 512):
        both.paste(photo, (x, 0))
    both.save(pair)
    quick = ["--generator", generator.name, "--render", 256, "--steps", 0, "--device", "cpu", "--face", "all"]
    edit = ["edit", pair, "--set", "age=1", "--mask", "face", "--out", tmp_path / "out", *quick]
    status, lines, errors = run(*edit)
    assert (status, errors, lines[-1]) == (0, [], str(tmp_path / "out" / "pair-age1.png"))
    names = {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert names == {"pair-age1.png", "pair-age1-face1.npz", "pair-age1-face2.npz"}
    change = np.abs(pixels(tmp_path / "out" / "pair-age1.png") - pixels(pair)).mean(axis=(0, 2))
    assert change[:512].mean() == pytest.approx(change[512:].mean(), rel=0.1)
    assert change.mean() > 0.3


def test_a_photo_without_a_face(run: Run, picture: Callable[..., Path], tmp_path: Path) -> None:
    path = picture(width=200, height=200)
    status, _, errors = run(
        "edit", path, "--set", "smile=1", "--steps", 0, "--out", tmp_path / "out", "--device", "cpu"
    )
    assert status == 2
    advice = "is it large enough, and seen from the front? If the photo is already aligned, say so; see --aligned"
    assert errors == [f"latentloop: {path}: no face found; {advice}"]
