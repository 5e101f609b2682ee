from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from edits import QUICK, MakeCode, Run, ToyPhotos, drawn, named, pixels
from latentloop.editing import Direction, direction_file
from latentloop.editing.direction_file import read_directions, save_directions
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.images import read_image, to_uint8, write_png
from latentloop.latents.code_file import load_code, save_code
from latentloop.weights import WeightsFile

pytestmark = pytest.mark.usefixtures("process", "toy_shipped")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands keep codes in the folder that they run in."""
    monkeypatch.chdir(tmp_path)


def test_an_edit_moves_the_code_and_draws_it(
    run: Run, make_code: MakeCode, float_toy: Generator, directions: Path, tmp_path: Path
) -> None:
    code, out = make_code(details={}), tmp_path / "out"
    save_code(tmp_path / "anna.npz", code)
    edit = ["edit", tmp_path / "anna.npz", "--set", f"{directions}:smile=1.5", f"{directions}:age=-1"]
    name = named("anna", directions, smile=1.5, age=-1)
    assert run(*edit, "--out", out, *QUICK) == (0, [str(out / f"{name}.png")], [])
    smile, age = (read_directions(directions)[name].vector for name in ("smile", "age"))
    expected = code.w_plus - age
    expected[1:3] += 1.5 * smile
    found = load_code(out / f"{name}.npz")
    torch.testing.assert_close(found.w_plus, expected, atol=1e-5, rtol=0)
    assert np.abs(pixels(out / f"{name}.png") - drawn(float_toy, expected[None])).max() <= 1
    assert found.details["edit"]["set"] == edit[3:]
    assert not (out / "faces").exists()


def test_what_is_kept_is_taken_out_of_the_edit(run: Run, make_code: MakeCode, directions: Path, tmp_path: Path) -> None:
    save_code(tmp_path / "anna.npz", make_code())
    options = ["--set", f"{directions}:smile=1", "--keep", f"{directions}:age", "--layers", "0,3"]
    assert run("edit", tmp_path / "anna.npz", *options, "--out", tmp_path / "out", *QUICK)[0] == 0
    smile, age = (read_directions(directions)[name].vector for name in ("smile", "age"))
    rest = smile - (smile @ age) / (age @ age) * age
    name = named("anna", directions, smile=1, keep=[f"{directions}:age"], layers="0,3")
    change = load_code(tmp_path / "out" / f"{name}.npz").w_plus - make_code().w_plus
    torch.testing.assert_close(change[[0, 3]], rest.expand(2, -1), atol=1e-5, rtol=0)
    assert not change[[1, 2]].any()


def test_strength_0_is_the_reconstruction_to_the_bit(
    run: Run, make_code: MakeCode, float_toy: Generator, directions: Path, tmp_path: Path
) -> None:
    code = make_code()
    save_code(tmp_path / "anna.npz", code)
    run("edit", tmp_path / "anna.npz", "--set", f"{directions}:smile=0", "--out", tmp_path / "out", *QUICK)
    name = named("anna", directions, smile=0)
    assert torch.equal(load_code(tmp_path / "out" / f"{name}.npz").w_plus, code.w_plus)
    assert np.array_equal(pixels(tmp_path / "out" / f"{name}.png"), drawn(float_toy, code.w_plus[None]))


def test_the_face_goes_back_into_its_photo(
    run: Run, photo_with_code: tuple[Path, Path], float_toy: Generator, directions: Path, tmp_path: Path
) -> None:
    (photo, code), out = photo_with_code, tmp_path / "out"
    edit = ["edit", code, "--set", f"{directions}:smile=1", "--out", out, "--mask", "square", *QUICK]
    assert run(*edit, "--photos", photo.parent)[0] == 0
    name = named("anna", directions, smile=1)
    before, after = pixels(photo), pixels(out / f"{name}.png")
    outside = np.ones((60, 80), dtype=bool)
    outside[10:42, 20:52] = False
    assert np.array_equal(before[outside], after[outside])
    face = read_image(out / "faces" / f"{name}.png")
    edited = load_code(out / f"{name}.npz")
    torch.testing.assert_close(face, float_toy.synthesis(edited.w_plus[None]), atol=0.01, rtol=0)
    # The quad has a pixel for each of the face; its middle has no photo in it.
    assert np.abs(after[22:30, 32:40] - to_uint8(face[0])[12:20, 12:20].astype(np.int16)).max() <= 1
    assert torch.equal(edited.quad, load_code(code).quad)


def test_an_edited_code_is_one_to_go_on_from(
    run: Run, photo_with_code: tuple[Path, Path], directions: Path, tmp_path: Path
) -> None:
    (photo, code), first, second = photo_with_code, tmp_path / "first", tmp_path / "second"
    assert run("edit", code, "--set", f"{directions}:smile=1", "--out", first, *QUICK)[0] == 0
    name = named("anna", directions, smile=1)
    again = ["edit", first / f"{name}.npz", "--set", f"{directions}:smile=-1", "--out", second, *QUICK]
    assert run(*again, "--photos", photo)[0] == 0
    before, after = load_code(code), load_code(second / f"{named(name, directions, smile=-1)}.npz")
    torch.testing.assert_close(before.w_plus, after.w_plus, atol=1e-6, rtol=0)
    assert torch.equal(before.quad, after.quad)
    assert (after.original_size, after.details["photo"]) == (before.original_size, before.details["photo"])
    # The face is not what the photo shows, even where the second edit changes nothing.
    edit = ["edit", first / f"{name}.npz", "--set", f"{directions}:smile=0", "--out", tmp_path / "third", *QUICK]
    run(*edit, "--photos", photo)
    assert (
        np.abs(pixels(tmp_path / "third" / f"{named(name, directions, smile=0)}.png") - pixels(photo))[
            20:30, 30:40
        ].mean()
        > 5
    )


def test_no_strangers_are_overwritten(
    run: Run, make_code: MakeCode, toy_photos: ToyPhotos, directions: Path, tmp_path: Path
) -> None:
    save_code(tmp_path / "anna.npz", make_code(details={}))
    out = tmp_path / "out"
    edit = ["edit", tmp_path / "anna.npz", "--set", f"{directions}:smile=1", "--out", out, *QUICK]
    anna = named("anna", directions, smile=1)
    for name in (f"{anna}.png", f"faces/{anna}.png", f"strips/{anna}.png", f"{anna}.mp4", f"{anna}.npz"):
        stranger = out / name
        stranger.parent.mkdir(parents=True, exist_ok=True)
        stranger.write_bytes(b"of somebody else")
        status, _, errors = run(*edit)
        assert (status, errors) == (
            2,
            [f"latentloop: the result would overwrite {stranger}; choose another folder; see --out"],
        )
        assert stranger.read_bytes() == b"of somebody else"
        stranger.unlink()
    assert run(*edit)[0] == 0
    assert run(*edit)[0] == 0
    (photo,) = toy_photos(1, "faces")
    before = photo.read_bytes()
    run("edit", photo, "--aligned", "--set", f"{directions}:smile=1", "--out", tmp_path, *QUICK)
    assert photo.read_bytes() == before


def test_results_of_one_name(run: Run, make_code: MakeCode, directions: Path, tmp_path: Path) -> None:
    for folder in ("x", "y"):
        save_code(tmp_path / folder / "anna.npz", make_code(details={}))
    pair = [tmp_path / "x" / "anna.npz", tmp_path / "y" / "anna.npz"]
    status, lines, errors = run("edit", *pair, "--set", f"{directions}:smile=1", "--out", tmp_path / "out", *QUICK)
    assert (status, len(lines)) == (2, 1)
    name = named("anna", directions, smile=1)
    assert errors == [f"latentloop: two results would be called {name}; put one of them into another folder; see --out"]
    twice = [pair[0], tmp_path / "x" / ".." / "x" / "anna.npz"]
    assert run("edit", *twice, "--set", f"{directions}:smile=1", "--out", tmp_path / "o2", *QUICK)[0] == 0


def test_the_pictures_colour_profile_is_kept(
    run: Run, photo_with_code: tuple[Path, Path], directions: Path, tmp_path: Path
) -> None:
    photo, code = photo_with_code
    with Image.open(photo) as image:
        image.save(photo, icc_profile=b"colours of a phone")
    found = load_code(code)
    save_code(code, replace(found, details={"photo": {**found.details["photo"], "sha256": sha256_of(photo)}}))
    edit = ["edit", code, "--photos", photo, "--set", f"{directions}:smile=1", "--out", tmp_path / "out", *QUICK]
    assert run(*edit)[0] == 0
    with Image.open(tmp_path / "out" / f"{named('anna', directions, smile=1)}.png") as image:
        assert image.info["icc_profile"] == b"colours of a phone"


@pytest.mark.parametrize("change", ["other", "size", "gone"])
def test_another_photo_than_the_codes(
    run: Run, photo_with_code: tuple[Path, Path], directions: Path, tmp_path: Path, change: str
) -> None:
    photo, code = photo_with_code
    if change == "gone":
        photo.unlink()
        photo = photo.parent
    elif change == "other":
        write_png(photo, torch.zeros(1, 3, 60, 80))
    else:
        save_code(code, replace(load_code(code), original_size=(60, 80)))
    edit = ["edit", code, "--set", f"{directions}:smile=1", "--out", tmp_path / "out", *QUICK]
    status, lines, errors = run(*edit, "--photos", photo)
    assert (status, lines, len(errors)) == (2, [], 1)
    assert "see --photos" in errors[0] if change == "gone" else "not the photo that" in errors[0]
    assert not (tmp_path / "out").exists()


def test_photos_are_embedded_once(run: Run, toy_photos: ToyPhotos, directions: Path, tmp_path: Path) -> None:
    photos, out = toy_photos(2), tmp_path / "out"
    edit = ["edit", *photos, "--aligned", "--set", f"{directions}:smile=1", "--strip", "--out", out, *QUICK]
    status, lines, errors = run(*edit)
    assert (status, errors) == (0, [])
    one, two = (named(name, directions, smile=1) for name in ("photo-0", "photo-1"))
    assert [line for line in lines if line.endswith(".png")] == [
        str(out / name) for name in (f"{one}.png", f"strips/{one}.png", f"{two}.png", f"strips/{two}.png")
    ]
    assert pixels(out / "strips" / f"{one}.png").shape == (256 + 22, 6 * 256, 3)
    assert pixels(out / f"{one}.png").shape == (32, 32, 3)
    assert sum("finished earlier" in line for line in run(*edit)[1]) == 2


def test_a_bad_picture_does_not_stop_the_others(
    run: Run, toy_photos: ToyPhotos, directions: Path, tmp_path: Path
) -> None:
    (photo,), bad, out = toy_photos(1), tmp_path / "bad.npz", tmp_path / "out"
    bad.write_bytes(b"no code")
    edit = ["edit", bad, tmp_path / "gone.png", photo, "--aligned", "--set", f"{directions}:smile=1", "--out", out]
    status, _, errors = run(*edit, *QUICK)
    assert status == 2
    assert len(errors) == 2
    assert (out / f"{named('photo-0', directions, smile=1)}.png").is_file()


def test_sources_are_not_overwritten(run: Run, toy_photos: ToyPhotos, directions: Path) -> None:
    photo = toy_photos(1)[0]
    result = photo.with_name(f"{named(photo.stem, directions, smile=1)}.png")
    edit = ["edit", photo, "--aligned", "--set", f"{directions}:smile=1", "--out", photo.parent]
    assert run(*edit, *QUICK)[0] == 0
    before = result.read_bytes()
    status, _, errors = run("edit", result, *edit[1:], *QUICK)  # it is a source now, too
    assert status == 2
    assert "would overwrite" in errors[-1]
    assert result.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--set", "smile"], "set takes NAME=NUMBER, such as smile=1.5, got smile"),
        (["--set", "smile=much"], "set takes NAME=NUMBER"),
        (["--set", "smile=nan"], "set takes NAME=NUMBER"),
        ([], "say what to change"),
        (["--set", "{d}:smlie=1"], "has no direction smlie, did you mean smile?"),
        (["--set", "smile=1"], "smile: a direction of mobile-ffhq-1024, not of toy-32"),
        (["--set", "frown=1"], "neither a file nor a bundled direction of toy-32"),
        (["--set", "{d}:smile=1", "--layers", "9"], "this generator has the layers 0 to 3"),
        (["--set", "{other}=1"], "cats"),
        (["--set", "{d}:smile=1", "--keep", "{d}:smile"], "nothing is left to change"),
        (["--set", "{d}:smile=1", "--face", "smallest"], "face must be largest, all or a number, got smallest"),
        (["--set", "{d}:smile=1", "--lr", "0"], "lr must be above 0"),
        (["--set", "{d}:smile=1", "--smooth", "nan"], "smooth must be from 0 to 1000"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    run: Run, directions: Path, tmp_path: Path, options: list[str], problem: str
) -> None:
    other = Direction("ears", torch.ones(8), (0, 1), num_ws=4, fingerprint="fe" * 8, generator="cats")
    save_directions(tmp_path / "cats.safetensors", [other])
    filled = [option.format(d=directions, other=tmp_path / "cats.safetensors") for option in options]
    status, lines, errors = run("edit", "seed:1", *filled, "--out", tmp_path / "out", *QUICK)
    assert (status, lines, len(errors)) == (2, [], 1)
    assert problem in errors[0]
    assert not (tmp_path / "out").exists()


def test_far_edits_are_warned_of(run: Run, directions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = ["edit", "seed:1", "--out", tmp_path / "out", *QUICK, "--set"]
    assert run(*far, f"{directions}:smile=20")[2] == []
    monkeypatch.setattr(direction_file, "SHIPPED", (WeightsFile(directions),))
    status, _, errors = run(*far, "smile=20", "age=3")
    assert status == 0
    assert errors == ["latentloop: smile=20: faces fall apart beyond strengths of 3"]


def test_an_empty_name(run: Run, directions: Path, tmp_path: Path) -> None:
    status, _, errors = run("edit", "", "--set", f"{directions}:smile=1", "--out", tmp_path / "out", *QUICK)
    assert (status, errors) == (2, ["latentloop: one of the pictures has an empty name"])
