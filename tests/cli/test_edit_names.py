import re
from pathlib import Path

import pytest
import torch

from edits import QUICK, MakeCode, Run, ToyPhotos, named
from latentloop.editing import direction_file
from latentloop.generators import MobileStyleGAN, load_generator
from latentloop.generators.registry import save_generator
from latentloop.latents.code_file import save_code
from latentloop.photo_editing.editor import Editor
from latentloop.weights import WeightsFile
from small_generators import SmallGenerator

pytestmark = pytest.mark.usefixtures("process", "toy_shipped")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands keep codes in the folder that they run in."""
    monkeypatch.chdir(tmp_path)


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
