"""The commands of latentloop-lite, on networks of a few numbers; photos are aligned already."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from latentloop.cli.lite import main
from latentloop.image_info import colour_profile, png_comment
from latentloop.images import write_png
from latentloop.latents import load_code
from latentloop.pixels import read_pixels
from latentloop.runtime import Runtime, load
from latentloop.runtime.arrays import Floats, to_pixels
from latentloop.runtime.directions import Direction
from tiny_bundle import GENERATOR, NUM_WS, SIZE, W_DIM, Bundle

Run = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def smile() -> Direction:
    vector = np.random.default_rng(2).standard_normal(W_DIM).astype(np.float32)
    return Direction("smile", vector, (0, 1), NUM_WS, str(GENERATOR["fingerprint"]), "tiny")


@pytest.fixture
def run(
    tiny_bundle: Bundle, smile: Direction, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs a command on the tiny networks, which know a smile."""
    folder = tiny_bundle()
    for module in ("runtime.directions", "lite.edit_job"):
        monkeypatch.setattr(f"latentloop.{module}.shipped_directions", lambda _: {"smile": smile})

    def run_on_bundle(*arguments: object) -> tuple[int, list[str], list[str]]:
        code = main([*map(str, arguments), "--bundle", str(folder)])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run_on_bundle


@pytest.fixture
def face(picture: Callable[..., Path]) -> Path:
    return picture("anna.png", SIZE, SIZE)


def _dark(size: int = SIZE) -> Tensor:
    return torch.full((1, 3, size, size), -0.5)


def _copy(face: Path) -> Path:
    """Another photo beside a face."""
    write_png(face.with_name("bob.png"), _dark())
    return face.with_name("bob.png")


def drawn(runtime: Runtime, w_plus: Floats) -> Image.Image:
    return Image.fromarray(to_pixels(runtime.draw(w_plus[None])))


def test_a_face_is_edited_into_a_folder(run: Run, face: Path, tmp_path: Path, smile: Direction) -> None:
    out = tmp_path / "out"
    code, lines, errors = run("edit", face, "--aligned", "--set", "smile=0.5", "--out", out, "--strip")
    assert (code, lines, errors) == (0, [str(out / "anna-smile0.5.png"), str(out / "strips/anna-smile0.5.png")], [])
    runtime = load(tmp_path / "bundle")
    expected = runtime.invert(face, aligned=True).w_plus + 0.5 * smile.change()
    code_file = load_code(out / "anna-smile0.5.npz")
    np.testing.assert_allclose(code_file.w_plus.numpy(), expected, rtol=0, atol=1e-6)
    assert code_file.details["edit"] == {"set": ["smile=0.5"], "keep": [], "layers": None}
    assert code_file.details["photo"]["file"] == "anna.png"
    assert np.array_equal(read_pixels(out / "anna-smile0.5.png"), np.array(drawn(runtime, expected)))
    assert read_pixels(out / "strips/anna-smile0.5.png").shape == (256 + 22, 6 * 256, 3)


def test_an_edit_replaces_itself_and_no_other(run: Run, face: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["edit", face, "--aligned", "--set", "smile=1", "--out", out]
    assert run(*arguments)[1] == [str(out / "anna-smile1.png")]
    before = (out / "anna-smile1.png").read_bytes()
    assert run(*arguments)[1] == [str(out / "anna-smile1.png")]
    assert (out / "anna-smile1.png").read_bytes() == before
    others = {run(*arguments, *more)[1][0] for more in (["--looks", 2], ["--mask", "face"])}
    write_png(face, _dark())
    others |= {run(*arguments)[1][0]}
    assert len(others) == 3
    assert all(Path(name).name.startswith("anna-smile1-") for name in others)
    assert (out / "anna-smile1.png").read_bytes() == before


def test_somebody_elses_file_is_refused(run: Run, face: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_png(out / "anna-smile1.png", _dark())
    code, _, errors = run("edit", face, "--aligned", "--set", "smile=1", "--out", out)
    assert (code, len(errors)) == (2, 1)
    assert "the result would overwrite" in errors[0]
    assert "--out" in errors[0]
    assert [path.name for path in out.iterdir()] == ["anna-smile1.png"]


@pytest.mark.parametrize("name", ["smiling.png", "smiling.jpg"])
def test_an_edit_is_written_to_a_file_by_name(run: Run, face: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    arguments = ["edit", face, "--aligned", "--set", "smile=1", "--out", out]
    for _ in range(2):  # an earlier result is replaced
        assert run(*arguments) == (0, [str(out)], [])
    assert read_pixels(out).shape == (SIZE, SIZE, 3)
    write_png(out, _dark())
    code, _, errors = run(*arguments)
    assert (code, len(errors)) == (2, 1)
    code, _, errors = run(*arguments[:-1], face)
    assert code == 2
    assert "the result would overwrite" in errors[0]
    code, _, errors = run("edit", face, _copy(face), "--aligned", "--set", "smile=1", "--out", out)
    assert "one file for 2 pictures; name a folder; see --out" in errors[0]


def test_a_code_file_is_edited_without_its_photo(run: Run, face: Path, tmp_path: Path, smile: Direction) -> None:
    codes, out = tmp_path / "codes", tmp_path / "out"
    assert run("embed", face, "--aligned", "--out", codes)[0] == 0
    assert run("edit", codes / "anna.npz", "--set", "smile=1", "--out", out)[1] == [str(out / "anna-smile1.png")]
    expected = load_code(codes / "anna.npz").w_plus.numpy() + smile.change()
    np.testing.assert_allclose(load_code(out / "anna-smile1.npz").w_plus.numpy(), expected, rtol=0, atol=1e-6)


def test_photos_are_embedded_into_a_folder(run: Run, face: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", _copy(face)
    code, lines, errors = run("embed", face, other, "--aligned", "--out", out)
    assert (code, lines, errors) == (0, [str(out / "anna.npz"), str(out / "bob.npz")], [])
    found = load(tmp_path / "bundle").invert(face, aligned=True)
    code_file = load_code(out / "anna.npz")
    assert np.array_equal(code_file.w_plus.numpy(), found.w_plus)
    assert code_file.original_size == (SIZE, SIZE)
    assert np.array_equal(read_pixels(out / "anna.png"), to_pixels(found.image))
    assert np.array_equal(read_pixels(out / "aligned/anna.png"), read_pixels(face))
    mark = png_comment(out / "anna.png") or ""
    assert mark.startswith("latentloop embed ")
    assert code_file.details["signature"] == mark
    assert run("embed", face, other, "--aligned", "--out", out)[1] == lines


def test_a_second_look_gives_another_code(run: Run, face: Path, tmp_path: Path) -> None:
    for looks in (1, 2):
        assert run("embed", face, "--aligned", "--looks", looks, "--out", tmp_path / str(looks))[0] == 0
    one, two = (load_code(tmp_path / str(looks) / "anna.npz").w_plus for looks in (1, 2))
    assert not one.equal(two)


def test_a_closer_code_is_not_replaced(run: Run, face: Path, tmp_path: Path) -> None:
    """One of latentloop embed has the name, and a mark of its own."""
    out = tmp_path / "out"
    assert run("embed", face, "--aligned", "--looks", "2", "--out", out)[0] == 0
    before = (out / "anna.npz").read_bytes()
    (name,) = run("embed", face, "--aligned", "--out", out)[1]
    assert Path(name).name.startswith("anna-")
    assert (out / "anna.npz").read_bytes() == before


def test_a_face_that_is_drawn_alone_has_no_colour_profile(run: Run, face: Path, tmp_path: Path) -> None:
    with Image.open(face) as image:
        image.save(face, icc_profile=b"a profile")
    assert colour_profile(face) == b"a profile"
    assert run("edit", face, "--aligned", "--set", "smile=1", "--out", tmp_path / "face.png")[0] == 0
    assert colour_profile(tmp_path / "face.png") is None  # the face is drawn alone, in sRGB


def test_a_photo_without_a_face_is_named_and_the_others_go_on(run: Run, face: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    write_png(large, _dark(64))
    code, lines, errors = run("embed", large, "--out", tmp_path / "out")
    assert (code, lines, len(errors)) == (2, [], 1)
    assert errors[0].startswith(f"latentloop-lite: {large}: no face found")
    assert errors[0].endswith("; see --aligned")
    (tmp_path / "broken.png").write_bytes(b"none")
    code, lines, errors = run("embed", tmp_path / "broken.png", face, "--aligned", "--out", tmp_path / "out")
    assert (code, lines, len(errors)) == (2, [str(tmp_path / "out" / "anna.npz")], 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["edit"], "name at least one photo or code, before the options; see latentloop-lite edit --help"),
        (["edit", "FACE"], "say what to change: --set smile=1; latentloop-lite directions shows what there is"),
        (["edit", "FACE", "--set", "smile"], "set takes NAME=NUMBER, such as smile=1.5, got smile"),
        (["edit", "FACE", "--set", "smil=1"], "smil: neither a file nor a bundled direction of tiny"),
        (["edit", "none.jpg", "--set", "smile=1"], "none.jpg: no such file or folder"),
        (["edit", "FACE", "--set", "smile=1", "--looks", "3"], "looks must be 1 or 2, got 3"),
        (["edit", "FACE", "--set", "smile=1", "--threads", "0"], "threads must be 1 or more, got 0"),
        (["edit", "FACE", "--set", "smile=1", "--steps", "3"], "no option --steps"),
        (["embed"], "name at least one photo, folder or glob"),
        (["morph"], "no command morph; see latentloop-lite --help"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(run: Run, face: Path, arguments: list[str], message: str) -> None:
    code, lines, errors = run(*[str(face) if one == "FACE" else one for one in arguments])
    assert (code, lines, len(errors)) == (2, [], 1)
    assert errors[0].startswith("latentloop-lite: ")
    assert message in errors[0]


def test_strengths_that_go_too_far_are_warned_of(run: Run, face: Path, tmp_path: Path) -> None:
    code, _, errors = run("edit", face, "--aligned", "--set", "smile=4", "--out", tmp_path / "out")
    assert (code, errors) == (0, ["latentloop-lite: smile=4: faces fall apart beyond strengths of 3"])


def test_directions_are_listed(run: Run) -> None:
    code, lines, errors = run("directions")
    assert (code, errors) == (0, [])
    assert [line.split()[0] for line in lines] == ["name", "smile"]


@pytest.mark.parametrize("command", ["edit", "embed", "directions"])
def test_help_explains_and_gives_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"latentloop-lite {command}" in text
    assert "--bundle" in text


def test_the_program_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == ["edit", "embed", "directions"]
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("latentloop-lite ")
