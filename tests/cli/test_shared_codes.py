"""A photo's code is found once: `embed` and the commands that edit share a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch

from latentloop.editing import Direction
from latentloop.editing.direction_file import save_directions
from latentloop.embedding.options import SearchOptions
from latentloop.inversion.beyond_config import Refine
from latentloop.photo_editing import SubjectOptions

ToyPhotos = Callable[..., list[Path]]
Run = Callable[..., tuple[int, list[str], list[str]]]
pytestmark = pytest.mark.usefixtures("process", "toy_shipped")
QUICK = ["--aligned", "--device", "cpu", "--precision", "float32"]


@pytest.fixture
def edit(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Edits a photo with a direction of the toy generator; gives the lines on stdout."""
    monkeypatch.chdir(tmp_path)
    vector = torch.randn(8, generator=torch.Generator().manual_seed(3))
    about = {"num_ws": 4, "fingerprint": "0123456789abcdef", "generator": "toy-32"}
    save_directions(tmp_path / "d.safetensors", [Direction("smile", vector, (1, 2), **about)])  # type: ignore[arg-type]

    def edit(photo: Path, strength: float, *options: object) -> list[str]:
        code, lines, _ = run("edit", photo, "--set", f"d.safetensors:smile={strength}", *options, *QUICK)
        assert code == 0
        return lines

    return edit


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_edit_takes_the_code_that_embed_found_however_it_did(
    run: Run, edit: Callable[..., list[str]], toy_photos: ToyPhotos
) -> None:
    (photo,) = toy_photos(1)
    loss = ["--lambda-lpips", "0", "--lr", "0.1", "--steps", "3"]
    assert run("embed", photo, *loss, *QUICK)[0] == 0
    before = content(Path("embedded"))
    for strength, out in ((1, "one"), (2, "two")):
        assert edit(photo, strength, "--out", out)[0].endswith("finished earlier")
    assert content(Path("embedded")) == before


def test_an_edit_keeps_the_code_that_it_finds_for_the_next_one(
    edit: Callable[..., list[str]], toy_photos: ToyPhotos
) -> None:
    (photo,) = toy_photos(1)
    assert not edit(photo, 1, "--out", "one", "--codes", "mine")[0].endswith("finished earlier")
    assert edit(photo, 1, "--out", "two", "--codes", "mine")[0].endswith("finished earlier")
    assert {"photo-0.npz", "photo-0.png", "aligned/photo-0.png"} == content(Path("mine")).keys()


def test_codes_with_settings_of_their_own_replace_no_others(
    run: Run, edit: Callable[..., list[str]], toy_photos: ToyPhotos
) -> None:
    (photo,) = toy_photos(1)
    assert run("embed", photo, "--lambda-lpips", "0", "--steps", "3", *QUICK)[0] == 0
    before = content(Path("embedded"))
    assert not edit(photo, 1, "--steps", 2)[0].endswith("finished earlier")
    assert edit(photo, 2, "--steps", 2)[0].endswith("finished earlier")
    now = content(Path("embedded"))
    assert before.items() <= now.items()
    assert {"steps2/photo-0.npz"} <= now.keys()


def test_each_kind_of_code_has_a_folder() -> None:
    folders = {
        SearchOptions(): "embedded",
        SearchOptions(quality="balanced"): "embedded",
        SearchOptions(quality="best", steps=20): "embedded/best-steps20",
        SearchOptions(steps=0): "embedded/steps0",
        SearchOptions(steps=200, lr=0.08): "embedded/steps200-lr0.08",
        SearchOptions(embedder="run/best.safetensors"): "embedded/best",
    }
    for search, folder in folders.items():
        assert SubjectOptions(search=search).folder == Path(folder)
    assert SubjectOptions(search=SearchOptions(steps=8), refine="none").folder == Path("embedded/steps8-refine-none")


def test_a_code_counts_only_with_the_refinement_that_is_asked_for() -> None:
    assert "refine" not in SubjectOptions().deciding
    for refine in get_args(Refine):
        subjects = SubjectOptions(refine=refine)
        assert {"refine", "refine_steps"} <= subjects.deciding
        assert subjects.embedding().beyond.refine == refine
