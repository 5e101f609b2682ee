from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from conftest import ToyGenerator, randn
from latentloop.errors import UserError
from latentloop.images import png_comment, read_image, write_png
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


@pytest.fixture
def anna(make_code: MakeCode, float_toy: ToyGenerator) -> Subject:
    code = make_code(quad=QUAD, original_size=(80, 60))
    return subject_of_codes("anna", [code], float_toy, photo=PHOTO)


@pytest.fixture
def smile(anna: Subject, float_toy: ToyGenerator) -> RenderedEdit:
    return render_edit(Editor(float_toy), anna, anna.w_plus + 1, float_toy, {"set": ["smile=1"]})


def frames() -> list[Tensor]:
    return [torch.zeros(1, 3, 32, 32)] * 2


def save_all(path: Path, subject: Subject, edit: RenderedEdit, name: str = "anna-smile1") -> None:
    folder = EditFolder(path)
    folder.save(name, subject, edit)
    folder.save_strip(name, torch.zeros(1, 3, 8, 8))
    folder.save_animation(name, frames(), rate=10)


def test_each_file_is_signed(anna: Subject, smile: RenderedEdit, tmp_path: Path) -> None:
    save_all(tmp_path, anna, smile)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == sorted(FILES)
    code = load_code(tmp_path / "anna-smile1.npz")
    assert code.details["edit"] == {"set": ["smile=1"]}
    signatures = [png_comment(tmp_path / name) for name in FILES if name.endswith(".png")]
    signatures += [media_comment(tmp_path / "anna-smile1.mp4"), code.details["signature"]]
    assert len(set(signatures)) == 1
    assert str(signatures[0]).startswith("latentloop edit ")


@pytest.mark.parametrize("changed", FILES)
def test_a_result_replaces_only_itself(anna: Subject, smile: RenderedEdit, tmp_path: Path, changed: str) -> None:
    save_all(tmp_path, anna, smile)
    save_all(tmp_path, anna, smile)
    theirs = tmp_path / changed
    if theirs.suffix == ".png":
        write_png(theirs, torch.zeros(1, 3, 4, 4))
    else:
        theirs.write_bytes(b"of somebody else")
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    with pytest.raises(UserError, match=f"would overwrite {theirs}"):
        save_all(tmp_path, anna, smile)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == before


def test_another_subject_or_edit_of_the_name_replaces_nothing(
    anna: Subject, smile: RenderedEdit, float_toy: ToyGenerator, make_code: MakeCode, tmp_path: Path
) -> None:
    save_all(tmp_path, anna, smile)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    other = make_code(quad=QUAD, original_size=(80, 60), details={"photo": {"file": "anna.jpg", "sha256": "cd" * 32}})
    for name, code in (("anna-smile1", other), ("anna-smile1", make_code(details={}))):
        with pytest.raises(UserError, match="would overwrite"):
            save_all(tmp_path, subject_of_codes("anna", [code], float_toy), smile, name)
    save_all(tmp_path, anna, smile, "anna-smile2")
    (tmp_path / "anna-smile2.png").rename(tmp_path / "anna-smile1.png")
    with pytest.raises(UserError, match="would overwrite"):
        save_all(tmp_path, anna, smile)
    del before["anna-smile1.png"]
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_a_source_is_never_replaced(anna: Subject, smile: RenderedEdit, tmp_path: Path) -> None:
    save_all(tmp_path, anna, smile)
    with pytest.raises(UserError, match="would overwrite"):
        EditFolder(tmp_path, [str(tmp_path / "anna-smile1.png")]).save("anna-smile1", anna, smile)


def test_two_results_of_a_run_do_not_share_a_name(anna: Subject, smile: RenderedEdit, tmp_path: Path) -> None:
    folder = EditFolder(tmp_path)
    folder.save("anna-smile1", anna, smile)
    with pytest.raises(UserError, match="two results would be called Anna-smile1") as caught:
        folder.save("Anna-smile1", anna, smile)
    assert caught.value.arguments == ("out",)


def test_faces_of_one_photo_have_files_each(make_code: MakeCode, float_toy: ToyGenerator, tmp_path: Path) -> None:
    codes = [make_code(quad=QUAD + shift, original_size=(80, 60)) for shift in (0, 8)]
    pair = subject_of_codes("pair", codes, float_toy, photo=PHOTO)
    edit = render_edit(Editor(float_toy), pair, pair.w_plus, float_toy, {})
    for _ in range(2):
        EditFolder(tmp_path).save("pair-age1", pair, edit)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")} == {
        "pair-age1.png",
        *(f"{folder}pair-age1-face{i}.{end}" for folder, end in (("", "npz"), ("faces/", "png")) for i in (1, 2)),
    }
    (tmp_path / "pair-age1-face2.npz").write_bytes(b"of somebody else")
    with pytest.raises(UserError, match=r"would overwrite .*pair-age1-face2\.npz"):
        EditFolder(tmp_path).save("pair-age1", pair, edit)


def test_a_table_without_a_result_replaces_only_tables(tmp_path: Path) -> None:
    for _ in range(2):
        EditFolder(tmp_path).save_strip("mix", torch.zeros(1, 3, 8, 8))
    write_png(tmp_path / "strips" / "mix.png", torch.ones(1, 3, 4, 4))
    with pytest.raises(UserError, match="would overwrite"):
        EditFolder(tmp_path).save_strip("mix", torch.zeros(1, 3, 8, 8))
    assert read_image(tmp_path / "strips" / "mix.png").shape == (1, 3, 4, 4)


def test_a_code_from_memory_is_saved_with_what_it_knows(
    anna: Subject, smile: RenderedEdit, float_toy: ToyGenerator, tmp_path: Path
) -> None:
    EditFolder(tmp_path).save("anna-smile1", anna, smile)
    code = load_code(tmp_path / "anna-smile1.npz")
    assert torch.equal(code.quad, QUAD)
    assert code.original_size == (80, 60)
    assert code.details["photo"] == anna.codes[0].details["photo"]
    sample = Subject("seed-7", anna.w_plus, seed="seed:7")
    EditFolder(tmp_path).save("seed-7-smile1", sample, replace(smile, details={}))
    assert load_code(tmp_path / "seed-7-smile1.npz").fingerprint == float_toy.fingerprint
