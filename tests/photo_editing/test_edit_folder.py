import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from conftest import ToyGenerator, randn
from latentloop.errors import UserError
from latentloop.faces import FaceMask
from latentloop.image_info import png_comment
from latentloop.images import read_image, write_png
from latentloop.latents.code_file import Code, load_code
from latentloop.photo_editing.edit_folder import EditFolder
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.rendered_edit import RenderedEdit, render_edit
from latentloop.photo_editing.subjects import Subject, subject_of_codes
from latentloop.video.files import media_comment

MakeCode = Callable[..., Code]
FILES = ("anna-smile1.png", "anna-smile1.npz", "faces/anna-smile1.png", "strips/anna-smile1.png", "anna-smile1.mp4")
QUAD = torch.tensor([[9.5, 9.5], [9.5, 41.5], [41.5, 41.5], [41.5, 9.5]], dtype=torch.float64)
PHOTO = randn(1, 3, 60, 80).clamp(-1, 1).float()


class LargerToy(ToyGenerator):
    name = "toy-64"


@pytest.fixture
def anna(make_code: MakeCode, float_toy: ToyGenerator) -> Subject:
    code = make_code(quad=QUAD, original_size=(80, 60))
    return subject_of_codes("anna", [code], float_toy, photo=PHOTO)


@pytest.fixture
def smile(anna: Subject, float_toy: ToyGenerator) -> RenderedEdit:
    return render_edit(Editor(float_toy), anna, anna.w_plus + 1, float_toy, {"set": ["smile=1"]})


def frames() -> list[Tensor]:
    return [torch.zeros(1, 3, 32, 32)] * 2


@pytest.fixture
def editor(float_toy: ToyGenerator) -> Editor:
    return Editor(float_toy)


def save(folder: EditFolder, subject: Subject, edit: RenderedEdit, editor: Editor, *, name: str = "anna-smile1") -> str:
    """Write a result; returns the name that it got."""
    claim = folder.claim(name, subject, editor, {"smile": 1})
    folder.save(claim, subject, edit)
    return claim.name


def save_all(
    path: Path, subject: Subject, edit: RenderedEdit, editor: Editor, *, name: str = "anna-smile1", by: float = 1
) -> str:
    """Write a result with its strip and its animation; returns the name that it got."""
    folder = EditFolder(path)
    claim = folder.claim(name, subject, editor, {"smile": by})
    folder.save(claim, subject, edit)
    folder.save_strip(claim, torch.zeros(1, 3, 8, 8))
    folder.save_animation(claim, frames(), rate=10)
    return claim.name


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def test_each_file_is_signed(anna: Subject, smile: RenderedEdit, editor: Editor, tmp_path: Path) -> None:
    assert save_all(tmp_path, anna, smile, editor) == "anna-smile1"
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == sorted(FILES)
    code = load_code(tmp_path / "anna-smile1.npz")
    assert code.details["edit"] == {"set": ["smile=1"]}
    signatures = [png_comment(tmp_path / name) for name in FILES if name.endswith(".png")]
    signatures += [media_comment(tmp_path / "anna-smile1.mp4"), code.details["signature"]]
    assert len(set(signatures)) == 1
    assert str(signatures[0]).startswith("latentloop edit ")


@pytest.mark.parametrize("changed", FILES)
def test_a_result_replaces_only_itself(
    anna: Subject, smile: RenderedEdit, editor: Editor, tmp_path: Path, changed: str
) -> None:
    for _ in range(2):
        assert save_all(tmp_path, anna, smile, editor) == "anna-smile1"
    theirs = tmp_path / changed
    if theirs.suffix == ".png":
        write_png(theirs, torch.zeros(1, 3, 4, 4), comment="by somebody else")
    else:
        theirs.write_bytes(b"of somebody else")
    before = contents(tmp_path)
    for by in (1, 2):
        with pytest.raises(UserError, match=f"would overwrite {theirs}"):
            EditFolder(tmp_path).claim("anna-smile1", anna, editor, {"smile": by})
    assert contents(tmp_path) == before


def test_another_result_of_the_name_gets_a_key(
    anna: Subject, smile: RenderedEdit, editor: Editor, make_code: MakeCode, float_toy: ToyGenerator, tmp_path: Path
) -> None:
    details = {"photo": {"file": "anna.jpg", "sha256": "cd" * 32}}
    other_photo = subject_of_codes(
        "anna", [make_code(quad=QUAD, original_size=(80, 60), details=details)], float_toy, photo=PHOTO
    )
    others: list[tuple[Subject, Editor, float]] = [
        (other_photo, editor, 1),
        (replace(anna, w_plus=anna.w_plus + 0.1), editor, 1),
        (replace(anna, origin=None), editor, 1),
        (anna, editor, 2),
        (anna, replace(editor, only_changed=False), 1),
        (anna, replace(editor, mask=FaceMask("square")), 1),
        (anna, replace(editor, blend="poisson"), 1),
        (anna, replace(editor, renderer=LargerToy().float()), 1),
    ]
    save_all(tmp_path, anna, smile, editor)
    first = contents(tmp_path)
    names = [save_all(tmp_path, one, smile, drawing, by=by) for one, drawing, by in others]
    assert all(re.fullmatch("anna-smile1-[0-9a-f]{6}", name) for name in names)
    assert len(set(names)) == len(others)
    before = contents(tmp_path)
    assert {name: before[name] for name in FILES} == first
    # The same again finds its own files, whatever else is there, and in whatever order.
    again = [save_all(tmp_path, one, smile, drawing, by=by) for one, drawing, by in reversed(others)]
    assert again == names[::-1]
    assert save_all(tmp_path, anna, smile, editor) == "anna-smile1"
    assert contents(tmp_path).keys() == before.keys()


def test_a_part_of_another_result_is_kept(anna: Subject, smile: RenderedEdit, editor: Editor, tmp_path: Path) -> None:
    save_all(tmp_path, anna, smile, editor)
    for name in FILES[1:]:
        (tmp_path / name).unlink()
    before = (tmp_path / FILES[0]).read_bytes()
    assert save_all(tmp_path, anna, smile, editor, by=2) != "anna-smile1"
    assert (tmp_path / FILES[0]).read_bytes() == before


def test_a_strangers_file_at_the_name_with_a_key_is_kept(
    anna: Subject, smile: RenderedEdit, editor: Editor, tmp_path: Path
) -> None:
    save_all(tmp_path, anna, smile, editor)
    theirs = tmp_path / f"{save_all(tmp_path, anna, smile, editor, by=2)}.png"
    write_png(theirs, torch.zeros(1, 3, 4, 4))
    with pytest.raises(UserError, match=f"would overwrite {theirs}"):
        save_all(tmp_path, anna, smile, editor, by=2)


def test_a_source_is_never_replaced(anna: Subject, smile: RenderedEdit, editor: Editor, tmp_path: Path) -> None:
    save_all(tmp_path, anna, smile, editor)
    with pytest.raises(UserError, match="would overwrite"):
        save(EditFolder(tmp_path, [str(tmp_path / "anna-smile1.png")]), anna, smile, editor)


def test_two_results_of_a_run_do_not_share_files(
    anna: Subject, smile: RenderedEdit, editor: Editor, tmp_path: Path
) -> None:
    folder = EditFolder(tmp_path)
    assert save(folder, anna, smile, editor) == "anna-smile1"
    assert re.fullmatch("Anna-smile1-[0-9a-f]{6}", save(folder, anna, smile, editor, name="Anna-smile1"))
    with pytest.raises(UserError, match="two results would be called anna-smile1") as caught:
        save(folder, anna, smile, editor)
    assert caught.value.arguments == ("out",)


def test_a_name_that_no_file_can_have(anna: Subject, editor: Editor, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a possible name of a file"):
        EditFolder(tmp_path).claim("x" * 300, anna, editor, {})


def test_faces_of_one_photo_have_files_each(
    make_code: MakeCode, float_toy: ToyGenerator, editor: Editor, tmp_path: Path
) -> None:
    codes = [make_code(quad=QUAD + shift, original_size=(80, 60)) for shift in (0, 8)]
    pair = subject_of_codes("pair", codes, float_toy, photo=PHOTO)
    edit = render_edit(Editor(float_toy), pair, pair.w_plus, float_toy, {})
    for _ in range(2):
        assert save(EditFolder(tmp_path), pair, edit, editor, name="pair-age1") == "pair-age1"
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")} == {
        "pair-age1.png",
        *(f"{folder}pair-age1-face{i}.{end}" for folder, end in (("", "npz"), ("faces/", "png")) for i in (1, 2)),
    }
    (tmp_path / "pair-age1-face2.npz").write_bytes(b"of somebody else")
    with pytest.raises(UserError, match=r"would overwrite .*pair-age1-face2\.npz"):
        save(EditFolder(tmp_path), pair, edit, editor, name="pair-age1")


def test_all_faces_and_one_of_them_do_not_share_files(
    make_code: MakeCode, float_toy: ToyGenerator, editor: Editor, tmp_path: Path
) -> None:
    codes = [make_code(quad=QUAD, original_size=(80, 60), w_plus=randn(4, 8, seed=seed).float()) for seed in (1, 2)]
    both, first, second = (
        subject_of_codes("party", some, float_toy, photo=PHOTO) for some in (codes, codes[:1], codes[1:])
    )

    def attempt(party: Subject) -> str:
        edit = render_edit(editor, party, party.w_plus, float_toy, {})
        return save(EditFolder(tmp_path), party, edit, editor, name="party-age1")

    names = [attempt(party) for party in (both, first, second)]
    assert names[0] == "party-age1"
    assert len(set(names)) == 3
    assert {path.name for path in tmp_path.glob("*.*")} == {
        *(f"{name}.png" for name in names),
        *(f"{name}.npz" for name in ("party-age1-face1", "party-age1-face2", *names[1:])),
    }
    before = contents(tmp_path)
    assert [attempt(party) for party in (second, both, first)] == [names[2], names[0], names[1]]
    assert contents(tmp_path).keys() == before.keys()


def test_a_table_replaces_only_itself(tmp_path: Path) -> None:
    def save_table(layers: str) -> Path:
        folder = EditFolder(tmp_path)
        return folder.save_strip(folder.claim_table("mix", {"layers": layers}), torch.zeros(1, 3, 8, 8))

    first, second = (save_table(layers) for layers in ("fine", "coarse"))
    assert first == tmp_path / "strips" / "mix.png"
    assert re.fullmatch(r"mix-[0-9a-f]{6}\.png", second.name)
    assert (save_table("coarse"), save_table("fine")) == (second, first)
    EditFolder(tmp_path).check_table("mix")
    write_png(first, torch.ones(1, 3, 4, 4))
    with pytest.raises(UserError, match="would overwrite"):
        save_table("fine")
    with pytest.raises(UserError, match="would overwrite"):
        EditFolder(tmp_path).check_table("mix")
    assert read_image(first).shape == (1, 3, 4, 4)


def test_a_code_from_memory_is_saved_with_what_it_knows(
    anna: Subject, smile: RenderedEdit, editor: Editor, float_toy: ToyGenerator, tmp_path: Path
) -> None:
    save(EditFolder(tmp_path), anna, smile, editor)
    code = load_code(tmp_path / "anna-smile1.npz")
    assert torch.equal(code.quad, QUAD)
    assert code.original_size == (80, 60)
    assert code.details["photo"] == anna.codes[0].details["photo"]
    sample = Subject("seed-7", anna.w_plus, seed="seed:7")
    save(EditFolder(tmp_path), sample, replace(smile, details={}), editor, name="seed-7-smile1")
    assert load_code(tmp_path / "seed-7-smile1.npz").fingerprint == float_toy.fingerprint
