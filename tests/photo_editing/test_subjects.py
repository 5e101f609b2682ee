from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import ToyGenerator, randn
from latentloop.embedding.result_folder import ResultFolder
from latentloop.errors import UserError
from latentloop.faces import crop_quad
from latentloop.files import sha256_of
from latentloop.images import read_image, write_png
from latentloop.latents.code_file import Code, save_code
from latentloop.photo_editing import subjects as module
from latentloop.photo_editing.editor import Editor, strength_strip
from latentloop.photo_editing.frames import animate_edit
from latentloop.photo_editing.subjects import (
    Origin,
    Subject,
    expand_arguments,
    is_coded,
    subject_of_codes,
    subject_of_photo,
    subjects_of,
    unique_paths,
)

MakeCode = Callable[..., Code]
QUAD = torch.tensor([[9.5, 9.5], [9.5, 41.5], [41.5, 41.5], [41.5, 9.5]], dtype=torch.float64)


@pytest.fixture
def embedded(tmp_path: Path, make_code: MakeCode) -> tuple[Path, Code]:
    """A photo, and the code of a face in it, saved as `embed` does."""
    photo, paths = tmp_path / "anna.png", ResultFolder(tmp_path / "codes").paths("anna")
    write_png(photo, randn(1, 3, 60, 80).clamp(-1, 1).float())
    write_png(paths.aligned, crop_quad(read_image(photo), QUAD, 32))
    details = {"photo": {"file": "anna.png", "sha256": sha256_of(photo), "faces": None}}
    code = make_code(quad=QUAD, original_size=(80, 60), details=details)
    save_code(paths.code, code)
    return photo, code


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the photos, codes and aligned images that are read."""
    names: list[str] = []
    for function in ("read_image", "load_code"):
        real = getattr(module, function)

        def counted(path: Path, *, real: Callable[..., object] = real, **options: object) -> object:
            names.append(str(Path(path).parent.name + "/" + Path(path).name))
            return real(path, **options)

        monkeypatch.setattr(module, function, counted)
    return names


def test_each_file_once_where_it_came_first(tmp_path: Path) -> None:
    anna, bob = str(tmp_path / "anna.png"), str(tmp_path / "bob.png")
    again = str(tmp_path / "there" / ".." / "anna.png")
    assert unique_paths([anna, "seed:1", bob, "seed:1", again]) == [anna, "seed:1", bob]


def test_what_repeats_is_kept_until_then() -> None:
    assert expand_arguments(["seed:1", "seed:2", "seed:1"]) == ["seed:1", "seed:2", "seed:1"]


def test_an_empty_name_is_none() -> None:
    with pytest.raises(UserError, match="empty name"):
        expand_arguments([""])


@pytest.mark.parametrize("name", ["seed:7", "a.npz", "b.NPY", "c.pt"])
def test_codes_and_photos(name: str) -> None:
    assert is_coded(name)
    assert not is_coded("a.png")


def test_each_file_of_a_photo_is_read_once(
    embedded: tuple[Path, Code], float_toy: ToyGenerator, tmp_path: Path, opened: list[str]
) -> None:
    photo, code = embedded
    subject = subject_of_photo(photo, ["anna"], ResultFolder(tmp_path / "codes"), float_toy)
    editor = Editor(float_toy)
    editor.into_photo(subject, editor.faces(subject.w_plus + 1))
    strength_strip(editor, subject, lambda w_plus, share: w_plus + share, str)
    assert sorted(opened) == sorted(["codes/anna.npz", f"{tmp_path.name}/anna.png", "aligned/anna.png"])
    assert subject.source == code.details["photo"]["sha256"]


def test_without_its_pictures_a_face_is_cut_out_of_the_photo(
    embedded: tuple[Path, Code], float_toy: ToyGenerator, tmp_path: Path
) -> None:
    photo, folder = embedded[0], ResultFolder(tmp_path / "codes")
    (expected,) = subject_of_photo(photo, ["anna"], folder, float_toy).aligned_images
    for picture in folder.paths("anna").pictures:
        picture.unlink(missing_ok=True)
    subject = subject_of_photo(photo, ["anna"], folder, float_toy)
    assert subject.reconstruction_images == ()
    (found,) = subject.aligned_images
    torch.testing.assert_close(found, expected, rtol=0, atol=1.1 / 127.5)


def test_a_code_file_is_read_once(
    embedded: tuple[Path, Code], float_toy: ToyGenerator, tmp_path: Path, opened: list[str]
) -> None:
    photo, code = embedded
    (subject,) = subjects_of(str(tmp_path / "codes" / "anna.npz"), float_toy, photos=photo)
    assert opened == ["codes/anna.npz"]
    assert torch.equal(subject.w_plus[0], code.w_plus)
    assert subject.origin is not None
    assert torch.equal(subject.origin.image, read_image(photo))


def test_a_subject_from_memory_is_that_of_the_files(
    embedded: tuple[Path, Code], float_toy: ToyGenerator, tmp_path: Path
) -> None:
    photo, code = embedded
    from_files = subject_of_photo(photo, ["anna"], ResultFolder(tmp_path / "codes"), float_toy)
    aligned = read_image(tmp_path / "codes" / "aligned" / "anna.png")
    in_memory = subject_of_codes("anna", [code], float_toy, photo=read_image(photo), aligned=[aligned])
    photo.unlink()
    (tmp_path / "codes" / "aligned" / "anna.png").rename(tmp_path / "gone.png")
    editor, edited = Editor(float_toy), in_memory.w_plus + 1
    picture = editor.into_photo(in_memory, editor.faces(edited))
    (tmp_path / "gone.png").rename(tmp_path / "codes" / "aligned" / "anna.png")
    assert torch.equal(picture, editor.into_photo(from_files, editor.faces(edited)))
    assert in_memory.source == from_files.source


def test_a_photo_of_another_size_is_none_of_the_codes(embedded: tuple[Path, Code], float_toy: ToyGenerator) -> None:
    with pytest.raises(ValueError, match=r"photo must have \(80, 60\) pixels"):
        subject_of_codes("anna", [embedded[1]], float_toy, photo=torch.zeros(1, 3, 80, 60))


def test_a_code_of_another_generator_is_refused(float_toy: ToyGenerator, make_code: MakeCode) -> None:
    with pytest.raises(UserError, match="anna: made for toy-32"):
        subject_of_codes("anna", [make_code(fingerprint="another")], float_toy)


def test_subjects_of_one_name_have_sources_of_their_own(float_toy: ToyGenerator, tmp_path: Path) -> None:
    for i in (1, 2):
        np.save(tmp_path / f"{i}.npy", randn(1, 4, 8, seed=i).float().numpy())
    arguments = [str(tmp_path / "1.npy"), str(tmp_path / "2.npy"), "seed:1", "seed:2"]
    sources = [subject.source for argument in arguments for subject in subjects_of(argument, float_toy)]
    assert len(set(sources)) == 4
    assert subjects_of(arguments[0], float_toy)[0].source == sources[0]
    assert sources[2:] == ["seed:1", "seed:2"]


@pytest.mark.parametrize("problem", ["unknown", "gone"])
def test_photos_that_cannot_be_found_name_the_argument(
    embedded: tuple[Path, Code], float_toy: ToyGenerator, tmp_path: Path, problem: str
) -> None:
    photo, code = embedded
    path = tmp_path / "codes" / "anna.npz"
    if problem == "unknown":
        save_code(path, replace(code, details={}))
    else:
        photo.unlink()
    with pytest.raises(UserError) as caught:
        subjects_of(str(path), float_toy, photos=tmp_path)
    assert caught.value.arguments == ("photos",)
    assert "--" not in str(caught.value)


def test_an_animation_draws_the_unedited_face_once(
    embedded: tuple[Path, Code], float_toy: ToyGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, code = embedded
    drawn: list[torch.Tensor] = []

    def draw(w_plus: torch.Tensor, *, resolution: int | None = None) -> torch.Tensor:
        drawn.append(w_plus)
        return ToyGenerator.synthesis(float_toy, w_plus, resolution=resolution)

    monkeypatch.setattr(float_toy, "synthesis", draw)
    subject = subject_of_codes("anna", [code], float_toy, photo=read_image(photo))
    editor = Editor(float_toy)
    (first, *_) = pictures = list(animate_edit(editor, subject, lambda w_plus, share: w_plus + share))
    assert len(drawn) == len(pictures) + 1 == 61
    monkeypatch.undo()
    assert torch.equal(first, editor.into_photo(subject, editor.faces(subject.w_plus)))


def test_an_animation_goes_there_and_back_within_a_size(
    float_toy: ToyGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentloop.photo_editing.frames.FRAME_COUNT", 4)
    shares: list[float] = []

    def change(w_plus: torch.Tensor, share: float) -> torch.Tensor:
        shares.append(share)
        return w_plus + share

    origin = Origin(None, torch.zeros(1, 3, 40, 2560), QUAD[None])
    pictures = list(animate_edit(Editor(float_toy), Subject("anna", randn(1, 4, 8).float(), origin), change))
    assert shares == pytest.approx([0, 0.5, 1, 0.5])
    assert {tuple(picture.shape) for picture in pictures} == {(1, 3, 20, 1280)}
