import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from edits import QUICK, Run, ToyPhotos, drawn, pixels, sample
from latentloop.editing import mix, morph, transfer
from latentloop.generators import Generator
from latentloop.latents.code_file import load_code

pytestmark = pytest.mark.usefixtures("process", "toy_shipped")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands keep codes in the folder that they run in."""
    monkeypatch.chdir(tmp_path)


def test_mixing_draws_each_with_each(run: Run, float_toy: Generator, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["mix", "seed:1", "seed:2", "--styles", "seed:3", "seed:4", "--layers", "2,3", "--strength", "0.5"]
    status, lines, errors = run(*command, "--out", out, *QUICK)
    assert (status, errors) == (0, [])
    assert lines[-1] == str(out / "strips" / "mix.png")
    assert pixels(out / "strips" / "mix.png").shape[0] == 3 * 256 + 22
    expected = mix(sample(float_toy, 2), sample(float_toy, 3), (2, 3), strength=0.5)
    torch.testing.assert_close(load_code(out / "seed-2+seed-3.npz").w_plus[None], expected)
    assert np.abs(pixels(out / "seed-2+seed-3.png") - drawn(float_toy, expected)).max() <= 1


def test_another_mixture_of_the_same_faces_is_kept(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pair = ["mix", "seed:1", "--styles", "seed:2", "--out", out, *QUICK]
    commands = [[*pair, "--layers", "2,3"], [*pair, "--layers", "0"], [*pair, "--layers", "0", "--strength", "0.5"]]
    results = [[Path(line) for line in run(*command)[1]] for command in commands]
    assert results[0] == [out / "seed-1+seed-2.png", out / "strips" / "mix.png"]
    for picture, table in results[1:]:
        assert re.fullmatch(r"seed-1\+seed-2-[0-9a-f]{6}\.png", picture.name)
        assert re.fullmatch(r"mix-[0-9a-f]{6}\.png", table.name)
    before = {path: path.read_bytes() for path in out.rglob("*.png")}
    assert len(set(before.values())) == 6
    assert [[Path(line) for line in run(*command)[1]] for command in commands[::-1]] == results[::-1]
    assert {path: path.read_bytes() for path in out.rglob("*.png")} == before
    # A table of more faces is another one.
    assert run("mix", "seed:1", "seed:3", *pair[2:], "--layers", "2,3")[0] == 0
    assert (out / "strips" / "mix.png").read_bytes() == before[out / "strips" / "mix.png"]
    assert len(list((out / "strips").iterdir())) == 4


def test_a_missing_style_stops_mixing(run: Run, tmp_path: Path) -> None:
    command = ["mix", "seed:1", "--styles", "seed:2", tmp_path / "gone.npz", "--layers", "2"]
    status, lines, errors = run(*command, "--out", tmp_path / "out", *QUICK)
    assert (status, lines, len(errors)) == (2, [], 1)
    assert "gone.npz: no such file" in errors[0]


def test_transfer_takes_a_face_from_each_picture(run: Run, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    photo, latents = toy_photos(1)[0], tmp_path / "two.npz"
    np.savez(latents, w=np.zeros((2, 4, 8), dtype=np.float32))
    pair = ["--neutral", latents, "--expressive", "seed:3", "--layers", "1", "--out", tmp_path / "out", *QUICK]
    status, _, errors = run("transfer", "seed:1", *pair)
    assert (status, len(errors)) == (2, 1)
    assert "must have one face each; see --neutral, --expressive" in errors[0]
    crooked = photo.parent / ".." / photo.parent.name / photo.name
    pair = ["--neutral", crooked, "--expressive", "seed:3", "--layers", "1", "--out", tmp_path / "out", *QUICK]
    assert run("transfer", photo, *pair, "--aligned", "--pair-steps", "2")[0] == 0


def test_transfer_adds_the_difference(run: Run, float_toy: Generator, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pair = ["--neutral", "seed:2", "--expressive", "seed:3", "--layers", "1", "--strength", "1.5"]
    assert run("transfer", "seed:1", *pair, "--out", out, *QUICK)[0] == 0
    anna, neutral, expressive = (sample(float_toy, seed) for seed in (1, 2, 3))
    expected = transfer(anna, neutral, expressive, (1,), strength=1.5)
    torch.testing.assert_close(load_code(out / "seed-1.npz").w_plus[None], expected)
    assert (out / "strips" / "seed-1.png").is_file()


def test_another_transfer_to_the_same_face_is_kept(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    common = ["transfer", "seed:1", "--neutral", "seed:2", "--layers", "1", "--out", out, *QUICK]
    others = (["seed:3"], ["seed:4"], ["seed:3", "--strength", "2"])
    commands = [[*common, "--expressive", *other] for other in others]
    results = [[Path(line).relative_to(out).as_posix() for line in run(*command)[1]] for command in commands]
    assert results[0] == ["seed-1.png", "strips/seed-1.png"]
    for picture, strip in results[1:]:
        assert re.fullmatch(r"seed-1-[0-9a-f]{6}\.png", picture)
        assert strip == f"strips/{picture}"
    before = {path: path.read_bytes() for path in out.rglob("*.png")}
    assert len(set(before.values())) == 6
    assert len(list(out.glob("*.npz"))) == 3
    assert [run(*command)[0] for command in commands] == [0] * 3
    assert {path: path.read_bytes() for path in out.rglob("*.png")} == before


def test_a_morph_is_its_frames(run: Run, float_toy: Generator, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    command = ["morph", "seed:1", "seed:2", "--frames", "3", "--size", "32", "--out", out, *QUICK]
    assert run(*command) == (0, [str(out)], [])
    codes = morph(torch.cat([sample(float_toy, 1), sample(float_toy, 2)]), 3)
    frames = sorted(out.glob("*.png"))
    assert len(frames) == len(codes) == 4
    for frame, w_plus in zip(frames, codes, strict=True):
        assert np.abs(pixels(frame) - drawn(float_toy, w_plus[None])).max() <= 1


def test_a_morph_there_and_back(run: Run, tmp_path: Path) -> None:
    command = ["morph", "seed:1", "seed:2", "seed:1", "--frames", "2", "--size", "32", "--out", tmp_path / "frames"]
    run(*command, *QUICK)
    frames = sorted((tmp_path / "frames").glob("*.png"))
    assert len(frames) == 5
    assert frames[0].read_bytes() == frames[4].read_bytes() != frames[2].read_bytes()
    command[command.index("2")] = "1"
    status, _, errors = run(*command, *QUICK)
    assert (status, errors) == (
        2,
        [f"latentloop: {tmp_path / 'frames'}: has frames of a longer animation; choose another folder; see --out"],
    )
    again = ["morph", frames[0], frames[2], "--aligned", "--out", tmp_path / "frames", *QUICK]
    status, _, errors = run(*again)
    assert (status, len(errors)) == (2, 1)
    assert "holds the pictures to morph" in errors[0]
    assert sorted((tmp_path / "frames").glob("*.png")) == frames


def test_a_morph_as_a_gif(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "morph.gif"
    command = ["morph", "seed:1", "seed:2", "--frames", "3", "--size", "32", "--rate", "10", "--loop", "--out", out]
    assert run(*command, *QUICK)[0] == 0
    with Image.open(out) as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"]) == (6, (32, 32), 100)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["family.gif", "family.mp4", "family.GIF", "family/frame-0001.png", "family"])
def test_a_morph_replaces_nobody_elses_file(run: Run, toy_photos: ToyPhotos, tmp_path: Path, name: str) -> None:
    stranger = tmp_path / "out" / name
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"of somebody else")
    out = stranger.parent if stranger.suffix == ".png" else stranger
    command = ["morph", *toy_photos(2), "--aligned", "--frames", "2", "--size", "32", "--out", out, *QUICK]
    complaint = f"latentloop: the result would overwrite {stranger}; choose another folder; see --out"
    assert run(*command) == (2, [], [complaint])
    assert stranger.read_bytes() == b"of somebody else"
    assert not (tmp_path / "embedded").exists()  # said before any code was found


@pytest.mark.parametrize("name", ["morph.gif", "morph.mp4", "morph"])
def test_a_morph_replaces_an_earlier_one(run: Run, tmp_path: Path, name: str) -> None:
    out = tmp_path / name

    def content() -> list[bytes]:
        return [path.read_bytes() for path in (sorted(out.iterdir()) if out.is_dir() else [out])]

    for seeds in (["seed:1", "seed:2"], ["seed:3", "seed:2"]):
        before = content() if out.exists() else []
        assert run("morph", *seeds, "--frames", "2", "--size", "32", "--out", out, *QUICK) == (0, [str(out)], [])
        assert content() != before


def test_an_edit_is_no_earlier_morph(run: Run, tmp_path: Path, directions: Path) -> None:
    edit = ["edit", "seed:1", "--set", f"{directions}:smile=1", "--video", "--out", tmp_path, *QUICK]
    video = Path(run(*edit)[1][-1])
    before = video.read_bytes()
    status, _, errors = run("morph", "seed:1", "seed:2", "--out", video, *QUICK)
    assert (status, len(errors), video.suffix) == (2, 1, ".mp4")
    assert "would overwrite" in errors[-1]
    assert video.read_bytes() == before


def test_a_morph_of_one(run: Run, tmp_path: Path) -> None:
    status, _, errors = run("morph", "seed:1", "--out", tmp_path / "morph.gif", *QUICK)
    assert (status, len(errors)) == (2, 1)
    assert "name at least two photos or codes" in errors[0]


def test_a_folder_that_ends_in_no_animation(run: Run, tmp_path: Path) -> None:
    status, _, errors = run("morph", "seed:1", "seed:2", "--out", tmp_path / "morph.webm", *QUICK)
    assert (status, len(errors)) == (2, 1)
    assert "out must end in .gif or .mp4, or be a folder" in errors[0]


def test_one_photo_is_no_morph(run: Run, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    status, lines, errors = run("morph", *toy_photos(1), "--aligned", "--out", tmp_path / "morph.gif", *QUICK)
    assert (status, lines) == (2, [])
    assert errors == ["latentloop: a morph takes two faces or more; name at least two photos or codes"]
