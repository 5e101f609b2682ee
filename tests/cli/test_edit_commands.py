import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentloop.editing import Direction, direction_file, mix, morph, transfer
from latentloop.editing.direction_file import read_directions, save_directions
from latentloop.files import sha256_of
from latentloop.generators import Generator, MobileStyleGAN, load_generator
from latentloop.generators.registry import save_generator
from latentloop.images import read_image, to_uint8, write_png
from latentloop.latents import sample_codes
from latentloop.latents.code_file import Code, load_code, save_code
from latentloop.photo_editing.edit_name import edit_suffix
from latentloop.photo_editing.editor import Editor
from latentloop.weights import WeightsFile
from small_generators import SmallGenerator

ToyPhotos = Callable[..., list[Path]]
Run = Callable[..., tuple[int, list[str], list[str]]]
MakeCode = Callable[..., Code]
pytestmark = pytest.mark.usefixtures("process", "toy_shipped")
QUICK = ["--device", "cpu", "--precision", "float32", "--steps", "2"]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands keep codes in the folder that they run in."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def directions(tmp_path: Path) -> Path:
    """A file with two directions of the toy generator."""
    vectors = torch.randn(2, 8, generator=torch.Generator().manual_seed(3))
    told = {"num_ws": 4, "fingerprint": "0123456789abcdef", "generator": "toy-32"}
    smile = Direction("smile", vectors[0], (1, 2), **told)  # type: ignore[arg-type]
    age = Direction("age", vectors[1], (0, 1, 2, 3), **told)  # type: ignore[arg-type]
    save_directions(tmp_path / "d.safetensors", [smile, age])
    return tmp_path / "d.safetensors"


@pytest.fixture
def photo_with_code(tmp_path: Path, make_code: MakeCode) -> tuple[Path, Path]:
    """A photo, and the code file of a face in it."""
    photo, code = tmp_path / "photos" / "anna.png", tmp_path / "anna.npz"
    noise = torch.rand(1, 3, 60, 80, generator=torch.Generator().manual_seed(0))
    write_png(photo, 2 * noise - 1)
    quad = torch.tensor([[19.5, 9.5], [19.5, 41.5], [51.5, 41.5], [51.5, 9.5]], dtype=torch.float64)
    told = {"photo": {"file": "anna.png", "sha256": sha256_of(photo), "faces": None}}
    save_code(code, make_code(quad=quad, original_size=(80, 60), details=told))
    return photo, code


def named(name: str, directions: Path, *, keep: Sequence[str] = (), layers: str | None = None, **edits: float) -> str:
    """Name of the result of an edit along directions of a file."""
    strengths = [(f"{directions}:{direction}", strength) for direction, strength in edits.items()]
    return f"{name}-{edit_suffix(strengths, keep=keep, layers=layers)}"


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), dtype=np.int16)


def drawn(generator: Generator, w_plus: torch.Tensor) -> np.ndarray:
    return to_uint8(generator.synthesis(w_plus)[0]).astype(np.int16)


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
    assert sum("finished before" in line for line in run(*edit)[1]) == 2


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


def test_a_second_edit_has_a_name_of_its_own(
    run: Run, make_code: MakeCode, directions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direction_file, "SHIPPED", (WeightsFile(directions),))
    save_code(tmp_path / "anna.npz", make_code())
    out = tmp_path / "out"
    for options in (["smile=1.5", "age=-1"], ["smile=1"], ["smile=1", "--keep", "age"], ["smile=1", "--layers", "0-1"]):
        assert run("edit", tmp_path / "anna.npz", "--out", out, *QUICK, "--set", *options)[0] == 0
    assert {path.name for path in out.glob("*.png")} == {
        "anna-smile1.5-age-1.png",
        "anna-smile1.png",
        "anna-smile1-keep-age.png",
        "anna-smile1-layers0-1.png",
    }


def test_another_result_of_the_same_name_is_kept(
    run: Run, photo_with_code: tuple[Path, Path], toy_photos: ToyPhotos, directions: Path, tmp_path: Path
) -> None:
    (photo, code), (face,), out = photo_with_code, toy_photos(1), tmp_path / "out"
    smile = ["--set", f"{directions}:smile=1", "--out", out, "--device", "cpu"]
    with_codes = [[code, "--photos", photo, *mask] for mask in ((), ("--mask", "square"), ("--mask", "face"))]
    with_steps = [[face, "--aligned", "--steps", steps] for steps in (1, 3)]
    commands = [["edit", *command, *smile] for command in (*with_codes, [code], *with_steps)]
    results = [Path(run(*command)[1][-1]) for command in commands]
    name, other = (named(one, directions, smile=1) for one in ("anna", face.stem))
    assert [path.name for path in (results[0], results[4])] == [f"{name}.png", f"{other}.png"]
    keyed = [re.fullmatch(r"(.*)-[0-9a-f]{6}\.png", path.name) for path in (*results[1:4], results[5])]
    assert [match and match[1] for match in keyed] == [name] * 3 + [other]
    assert len({path.read_bytes() for path in results}) == len(set(results)) == 6
    # The same again replaces its own files and no others.
    before = {path: path.read_bytes() for path in out.rglob("*.*")}
    assert [Path(run(*command)[1][-1]) for command in commands[::-1]] == results[::-1]
    assert {path: path.read_bytes() for path in out.rglob("*.*")}.keys() == before.keys()
    assert all(path.read_bytes() == before[path] for path in results)


def test_generators_of_one_name_do_not_share_files(run: Run, small_generator: SmallGenerator, tmp_path: Path) -> None:
    one, two = small_generator(), tmp_path / "two" / "small.safetensors"
    other = load_generator(one)
    assert isinstance(other, MobileStyleGAN)
    with torch.no_grad():
        for name, parameter in other.named_parameters():
            parameter.mul_(1 if name.startswith("mapping.") else 0.5)
    save_generator(two, other)
    assert load_generator(two).fingerprint == load_generator(one).fingerprint
    out = tmp_path / "out"
    mixtures = ["mix", "seed:1", "--styles", "seed:2", "--layers", "2", "--out", out, *QUICK]
    first, second = ([Path(line) for line in run(*mixtures, "--generator", path)[1]] for path in (one, two))
    assert first == [out / "seed-1+seed-2.png", out / "strips" / "mix.png"]
    assert not set(first) & set(second)
    assert all(path.is_file() for path in (*first, *second))


def test_a_strangers_file_is_found_before_anything_is_drawn(
    run: Run, directions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_faces: list[torch.Tensor] = []
    monkeypatch.setattr(Editor, "faces", lambda _self, w_plus, **_: drawn_faces.append(w_plus))
    name = named("seed-1", directions, smile=1)
    for taken, command in (
        (f"{name}.npz", ["edit", "seed:1", "--set", f"{directions}:smile=1"]),
        ("seed-1+seed-2.png", ["mix", "seed:1", "--styles", "seed:2", "--layers", "2"]),
        ("strips/mix.png", ["mix", "seed:1", "--styles", "seed:2", "--layers", "2"]),
        ("seed-1.mp4", ["transfer", "seed:1", "--neutral", "seed:2", "--expressive", "seed:3", "--layers", "1"]),
    ):
        out = tmp_path / taken.replace("/", "-")
        stranger = out / taken
        stranger.parent.mkdir(parents=True)
        stranger.write_bytes(b"of somebody else")
        status, _, errors = run(*command, "--out", out, *QUICK)
        assert (status, len(errors)) == (2, 1)
        assert f"would overwrite {stranger}" in errors[0]
        assert stranger.read_bytes() == b"of somebody else"
    assert not drawn_faces


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--set", "smile"], "set takes NAME=NUMBER, such as smile=1.5, got smile"),
        (["--set", "smile=much"], "set takes NAME=NUMBER"),
        (["--set", "smile=nan"], "set takes NAME=NUMBER"),
        ([], "say what to change"),
        (["--set", "{d}:smlie=1"], "has no direction smlie, did you mean smile?"),
        (["--set", "smile=1"], "smile: a direction of mobile-ffhq-1024, not of toy-32"),
        (["--set", "frown=1"], "neither a file nor a direction that we ship for toy-32"),
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


def sample(generator: Generator, seed: int) -> torch.Tensor:
    return sample_codes(generator, 1, randomness=torch.Generator().manual_seed(seed), truncation_psi=0.7)


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
        [f"latentloop: {tmp_path / 'frames'}: has frames of something longer; choose another folder; see --out"],
    )
    again = ["morph", frames[0], frames[2], "--aligned", "--out", tmp_path / "frames", *QUICK]
    status, _, errors = run(*again)
    assert (status, len(errors)) == (2, 1)
    assert "holds what the frames are made of" in errors[0]
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
    assert "out ends in .gif or .mp4, or is a folder" in errors[0]


def test_one_photo_is_no_morph(run: Run, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    status, lines, errors = run("morph", *toy_photos(1), "--aligned", "--out", tmp_path / "morph.gif", *QUICK)
    assert (status, lines) == (2, [])
    assert errors == ["latentloop: a morph takes two faces or more; name at least two photos or codes"]


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
