import re
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from latentloop.errors import UserError
from latentloop.images import photo_suffixes, read_image
from latentloop.photos.find import find_photos, find_training_photos


def make(folder: Path, names: Iterable[str]) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def found(folder: Path, *arguments: str) -> list[str]:
    """Names of the photos, from the folder."""
    photos = find_photos(str(folder / argument) for argument in arguments)
    return [photo.relative_to(folder).as_posix() for photo in photos]


def test_files_are_taken_as_they_are_named_in_their_order(tmp_path: Path) -> None:
    make(tmp_path, ["b.png", "a.jpg", "no-known.ending"])
    assert found(tmp_path, "b.png", "no-known.ending", "a.jpg") == ["b.png", "no-known.ending", "a.jpg"]


def test_a_folder_gives_the_images_right_inside_it_sorted(tmp_path: Path) -> None:
    make(tmp_path, ["d/b.png", "d/c.JPEG", "d/a.webp", "d/notes.txt", "d/.hidden.png", "d/e/deeper.png", "d/png"])
    assert found(tmp_path, "d") == ["d/a.webp", "d/b.png", "d/c.JPEG"]


@pytest.mark.parametrize("suffix", sorted(photo_suffixes()))
def test_a_folder_gives_images_of_every_known_ending(tmp_path: Path, suffix: str) -> None:
    make(tmp_path, [f"small{suffix}", f"BIG{suffix.upper()}"])
    assert found(tmp_path, ".") == [f"BIG{suffix.upper()}", f"small{suffix}"]


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*.png", ["a.png", "b.png"]),
        ("?.png", ["a.png", "b.png"]),
        ("[b-c].*", ["b.png", "c.jpg"]),
        ("*/*.png", ["d/a.png"]),
        ("**/*.png", ["a.png", "b.png", "d/a.png", "d/e/a.png"]),
        ("d*", None),
    ],
)
def test_a_glob_gives_the_files_that_match_sorted(tmp_path: Path, pattern: str, matches: list[str] | None) -> None:
    make(tmp_path, ["b.png", "a.png", "c.jpg", "d/a.png", "d/e/a.png"])
    if matches is None:  # a folder is no file
        with pytest.raises(UserError, match="no file matches"):
            found(tmp_path, pattern)
    else:
        assert found(tmp_path, pattern) == matches


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path: Path) -> None:
    make(tmp_path, ["a[1].png", "a1.png"])
    assert found(tmp_path, "a[1].png") == ["a[1].png"]


def test_a_photo_named_twice_is_taken_once_where_it_came_first(tmp_path: Path) -> None:
    make(tmp_path, ["a.png", "b.png", "c.png"])
    assert found(tmp_path, "c.png", "*.png", ".", "a.png", "./c.png") == ["c.png", "a.png", "b.png"]


def test_a_folder_without_photos_is_refused_with_the_endings_it_looked_for(tmp_path: Path) -> None:
    make(tmp_path, ["notes.txt"])
    with pytest.raises(UserError, match=rf"^{re.escape(str(tmp_path))}: no photos in this folder; .*\.jpg .*\.png"):
        find_photos([str(tmp_path)])


def test_a_glob_without_match_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\*\.png: no file matches$"):
        find_photos([str(tmp_path / "*.png")])


def test_a_missing_file_is_passed_on(tmp_path: Path) -> None:
    make(tmp_path, ["b.png"])
    assert found(tmp_path, "missing.png", "b.png") == ["missing.png", "b.png"]


def test_a_folder_that_cannot_be_read_stands_for_itself_and_the_other_photos_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    make(tmp_path, ["locked/a.png", "b.png"])
    monkeypatch.setattr(Path, "iterdir", refuse)
    assert found(tmp_path, "locked", "b.png") == ["locked", "b.png"]


def test_a_link_to_itself_is_a_photo_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to("loop.png")
    make(tmp_path, ["b.png"])
    assert found(tmp_path, "loop.png", "b.png") == ["loop.png", "b.png"]
    with pytest.raises(UserError, match=r"loop\.png: cannot read it: Too many levels of symbolic links"):
        read_image(tmp_path / "loop.png")


def test_a_tar_file_with_holes_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo("a.png")
        member.type, member.size = tarfile.GNUTYPE_SPARSE, 0
        archive.addfile(member)
    with pytest.raises(UserError, match=r"a\.tar:a\.png: stored with holes, which is not read; pack it again without"):
        find_training_photos([str(tmp_path / "a.tar")])


def test_reconstructions_beside_their_codes_are_no_photos(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "a.npz", "b.png"):
        (tmp_path / name).touch()
    for argument in (tmp_path, tmp_path / "*.[jp]*g"):
        assert [path.name for path in find_photos([str(argument)])] == ["a.jpg", "b.png"]
    assert find_photos([str(tmp_path / "a.png")]) == [tmp_path / "a.png"]  # who names it means it


def test_photos_beside_tar_files_are_found_too_and_each_once(picture: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "mixed").mkdir()
    photo = picture("mixed/one.png")
    with tarfile.open(tmp_path / "mixed" / "two.tar", "w") as archive:
        archive.add(photo, "two.png")
    for arguments in (["mixed"], ["mixed/*"], ["mixed", "mixed/one.png", "mixed/../mixed/two.tar"]):
        found = find_training_photos(str(tmp_path / argument) for argument in arguments)
        assert sorted(source.member or source.file.name for source in found) == ["one.png", "two.png"]


@pytest.mark.parametrize("find", [find_photos, find_training_photos])
def test_an_empty_name_is_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, find: Callable[[list[str]], object]
) -> None:
    make(tmp_path, ["a.png"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="one of the photos has an empty name"):
        find(["a.png", ""])
