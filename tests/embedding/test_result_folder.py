from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentloop.embedding.inverter import Figures
from latentloop.embedding.result_folder import Finished, PhotoKey, Result, ResultFolder, face_name
from latentloop.errors import UserError
from latentloop.latents.code_file import Code, save_code

MakeCode = Callable[..., Code]
ANNA = PhotoKey("anna.jpg", "ab" * 32)
OTHER_ANNA = PhotoKey("anna.png", "cd" * 32)
SETTINGS = {"steps": 2}


@pytest.fixture
def folder(tmp_path: Path) -> ResultFolder:
    return ResultFolder(tmp_path)


@pytest.fixture
def finish(folder: ResultFolder, make_code: MakeCode) -> Callable[..., None]:
    """Put a result of Anna's into the folder."""

    def write(name: str, key: PhotoKey = ANNA, faces: int | None = None, **details: Any) -> None:  # noqa: ANN401
        photo = {"file": key.file, "sha256": key.sha256, "faces": faces}
        code, paths = make_code(), folder.paths(name)
        paths.aligned.parent.mkdir(exist_ok=True)
        paths.aligned.touch()
        paths.reconstruction.touch()
        save_code(paths.code, replace(code, details={**code.details, "photo": photo, **details}))

    return write


def again(folder: ResultFolder) -> ResultFolder:
    """The folder as a later run sees it."""
    return ResultFolder(folder.path)


def test_a_result_lies_in_three_files_named_alike(folder: ResultFolder) -> None:
    assert folder.paths("a").relative_to(folder.path, one_pass=False) == {
        "code": "a.npz",
        "reconstruction": "a.png",
        "aligned": "aligned/a.png",
    }


@pytest.mark.parametrize("all_faces", [False, True])
def test_photos_of_one_name_get_stems_of_their_own(folder: ResultFolder, all_faces: bool) -> None:
    keys = [ANNA, OTHER_ANNA, PhotoKey("anna.jpg", "ef" * 32), PhotoKey("ben.jpg", "01" * 32)]
    stems = [folder.stem_for(key, all_faces=all_faces) for key in keys]
    assert stems == ["anna", "anna-2", "anna-3", "ben"]
    assert [folder.stem_for(key, all_faces=all_faces) for key in keys] == stems


@pytest.mark.parametrize("all_faces", [False, True])
def test_a_photo_gets_its_stem_again_in_a_later_run(
    folder: ResultFolder, finish: Callable[..., None], all_faces: bool
) -> None:
    for key in (ANNA, OTHER_ANNA):
        stem = folder.stem_for(key, all_faces=all_faces)
        finish(face_name(stem, 1) if all_faces else stem, key, 1 if all_faces else None)
    later = again(folder)
    stems = [later.stem_for(key, all_faces=all_faces) for key in (OTHER_ANNA, PhotoKey("anna.tif", "ef"), ANNA)]
    assert stems == ["anna-2", "anna-3", "anna"]


def test_the_face_of_one_photo_is_not_taken_for_another_photo(
    folder: ResultFolder, finish: Callable[..., None]
) -> None:
    face_1 = PhotoKey("anna-face1.jpg", "01" * 32)
    finish("anna")
    finish("anna-face1", face_1)  # a photo of that name, not a face of Anna's photo
    assert folder.stem_for(ANNA, all_faces=True) == "anna-2"
    later = again(folder)
    assert [later.stem_for(key, all_faces=False) for key in (ANNA, face_1)] == ["anna", "anna-face1"]


def test_a_result_is_finished_when_all_of_it_is_there(folder: ResultFolder, finish: Callable[..., None]) -> None:
    finish("anna")
    assert list(folder.finished(ANNA, "anna", lambda _: SETTINGS, all_faces=False).results) == ["anna"]


@pytest.mark.parametrize("full_size", [{}, {"pattern": 1.5, "pattern_photo": -0.1}])
def test_figures_at_full_size_are_read_where_there_are_any(
    folder: ResultFolder, finish: Callable[..., None], full_size: dict[str, float]
) -> None:
    """Results of version 0.1 have none."""
    metrics = {"mse": 0.01, "psnr": 26.0, "ssim": 0.9, "lpips_alex": 0.1, "id": 0.8} | full_size
    finish("anna", metrics=metrics)
    result = folder.read("anna")
    assert result is not None
    assert result.figures.metrics == metrics


def test_nothing_is_finished_in_an_empty_or_missing_folder(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        for all_faces in (False, True):
            assert not ResultFolder(path).finished(ANNA, "anna", lambda _: SETTINGS, all_faces=all_faces).results


@pytest.mark.parametrize("kind", ["code", "reconstruction", "aligned"])
def test_a_result_with_a_missing_file_is_unfinished(
    folder: ResultFolder, finish: Callable[..., None], kind: str
) -> None:
    finish("anna")
    getattr(folder.paths("anna"), kind).unlink()
    assert not folder.finished(ANNA, "anna", lambda _: SETTINGS, all_faces=False).results


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        (OTHER_ANNA, SETTINGS),
        (PhotoKey("anna.jpg", "changed"), SETTINGS),
        (PhotoKey("renamed.jpg", "ab" * 32), SETTINGS),
        (ANNA, {"steps": 3}),
        (ANNA, {"steps": 2, "lr": 0.1}),
        (ANNA, {}),
    ],
)
def test_a_result_of_another_photo_or_other_settings_is_unfinished(
    folder: ResultFolder, finish: Callable[..., None], key: PhotoKey, settings: dict[str, object]
) -> None:
    finish("anna")
    assert not folder.finished(key, "anna", lambda _: settings, all_faces=False).results


def test_a_damaged_code_counts_as_unfinished_and_its_stem_is_free(
    folder: ResultFolder, finish: Callable[..., None]
) -> None:
    finish("anna")
    code = folder.paths("anna").code
    code.write_bytes(code.read_bytes()[:-100])
    assert not folder.finished(ANNA, "anna", lambda _: SETTINGS, all_faces=False).results
    assert folder.read("anna") is None
    assert folder.stem_for(OTHER_ANNA, all_faces=False) == "anna"


def test_a_code_that_embed_did_not_make_is_not_read(folder: ResultFolder, make_code: MakeCode) -> None:
    save_code(folder.paths("mine").code, make_code(details={"note": "drawn at random"}))
    np.savez(folder.paths("data").code, x=np.zeros(3))
    assert folder.read("mine") is folder.read("data") is folder.read("missing") is None


def test_faces_of_one_photo_are_finished_together(folder: ResultFolder, finish: Callable[..., None]) -> None:
    for number in (1, 2):
        assert not folder.finished(ANNA, "anna", lambda _: SETTINGS, all_faces=True).results
        finish(face_name("anna", number), faces=2)
    assert list(folder.finished(ANNA, "anna", lambda _: SETTINGS, all_faces=True).results) == [
        "anna-face1",
        "anna-face2",
    ]
    assert not folder.finished(ANNA, "anna", lambda _: SETTINGS, all_faces=False).results


def test_a_code_that_claims_millions_of_faces_is_looked_for_once(
    folder: ResultFolder, finish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(face_name("anna", 1), faces=3_000_000)
    read, seen = ResultFolder.read, list[str]()

    def counted(self: ResultFolder, name: str) -> Result | None:
        seen.append(name)
        return read(self, name)

    monkeypatch.setattr(ResultFolder, "read", counted)
    assert folder.finished(ANNA, "anna", lambda _: SETTINGS, all_faces=True) == Finished()
    assert len(seen) <= 3


@pytest.mark.parametrize("photo", [3, {"file": "anna.jpg", "sha256": "ab" * 32, "faces": "two"}, {"faces": [1]}])
def test_details_of_other_types_are_nobodys_result(
    folder: ResultFolder, finish: Callable[..., None], photo: object
) -> None:
    for name in ("anna", face_name("anna", 1)):
        finish(name, photo=photo)
        assert folder.read(name) is None
        assert folder.overwrites(name) == folder.paths(name).aligned
    assert folder.finished(ANNA, "anna", lambda _: SETTINGS, all_faces=True) == Finished()


@pytest.mark.parametrize("settings", [3, [1], "steps", None])
def test_settings_that_are_no_object_are_nobodys_result(
    folder: ResultFolder, finish: Callable[..., None], settings: object
) -> None:
    finish("anna", settings=settings)
    assert folder.read("anna") is None
    assert not folder.finished(ANNA, "anna", lambda _: SETTINGS, all_faces=False).results


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    ResultFolder(tmp_path / "deep" / "out").make()
    ResultFolder(tmp_path / "deep" / "out").make()
    assert [path.name for path in (tmp_path / "deep" / "out").iterdir()] == ["aligned"]


@pytest.mark.parametrize("blocked", ["out", "out/aligned"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, blocked: str) -> None:
    (tmp_path / blocked).parent.mkdir(exist_ok=True)
    (tmp_path / blocked).touch()
    with pytest.raises(UserError, match=rf"{blocked}: cannot write here: "):
        ResultFolder(tmp_path / "out").make()


def test_a_result_without_its_one_pass_is_unfinished_where_that_is_wanted(
    folder: ResultFolder, finish: Callable[..., None]
) -> None:
    metrics = {"mse": 0.01, "psnr": 26.0, "ssim": 0.9, "lpips_alex": 0.1, "id": 0.8}

    def found(*, one_pass: bool) -> list[str]:
        return list(folder.finished(ANNA, "anna", lambda _: SETTINGS, all_faces=False, one_pass=one_pass).results)

    finish("anna")
    assert (found(one_pass=False), found(one_pass=True)) == (["anna"], [])
    finish("anna", one_pass={"metrics": metrics, "seconds": 0.1})
    folder.paths("anna").one_pass.parent.mkdir()
    folder.paths("anna").one_pass.touch()
    assert (found(one_pass=False), found(one_pass=True)) == (["anna"], ["anna"])


@pytest.mark.parametrize(
    ("settings", "steps"), [({"steps": 2}, 3), ({"steps": 2, "polish": 2}, 1), ({"steps": 5}, 0), ({}, 0)]
)
def test_the_steps_beyond_the_iterators_are_those_at_full_size(settings: dict[str, Any], steps: int) -> None:
    figures = Figures({}, 0.0)
    assert Result(ANNA, None, settings, figures, None, losses=[0.5] * 6).full_size_steps == steps
    assert Result(ANNA, None, settings, figures, None, losses=[]).full_size_steps == 0
