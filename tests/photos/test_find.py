import re
import tarfile
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch

from latentloop.errors import UserError
from latentloop.images import photo_suffixes, read_image, write_png
from latentloop.photos.braces import expand_braces
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
    with pytest.raises(UserError, match=r"a\.tar:a\.png: sparse members are not supported; pack the file without"):
        find_training_photos([str(tmp_path / "a.tar")])


def test_reconstructions_beside_their_codes_are_no_photos(tmp_path: Path) -> None:
    make(tmp_path, ["a.jpg", "a.npz", "b.png"])
    write_png(tmp_path / "a.png", torch.zeros(3, 8, 8), comment="latentloop embed 12ab")
    for argument in (tmp_path, tmp_path / "*.[jp]*g"):
        assert [path.name for path in find_photos([str(argument)])] == ["a.jpg", "b.png"]
    assert find_photos([str(tmp_path / "a.png")]) == [tmp_path / "a.png"]  # who names it means it


def test_a_photo_is_one_even_if_its_code_lies_beside_it(picture: Callable[..., Path], tmp_path: Path) -> None:
    make(tmp_path, ["pics/a.npz"])
    photo = picture("pics/a.png")
    for argument in ("pics", "pics/*.png"):
        assert find_photos([str(tmp_path / argument)]) == [photo]


def test_it_is_said_that_only_reconstructions_are_there(tmp_path: Path) -> None:
    make(tmp_path, ["a.npz"])
    write_png(tmp_path / "a.png", torch.zeros(3, 8, 8), comment="latentloop embed 12ab")
    for argument in (tmp_path, tmp_path / "*.png"):
        with pytest.raises(UserError, match=r"only pictures drawn from the codes beside them, such as a\.png; name a"):
            find_photos([str(argument)])


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


@pytest.mark.parametrize(
    ("argument", "names"),
    [
        ("s/{00008..00011}.tar", ["s/00008.tar", "s/00009.tar", "s/00010.tar", "s/00011.tar"]),
        ("{8..11}", ["8", "9", "10", "11"]),
        ("{3..1}", ["3", "2", "1"]),
        ("{08..9}-{a,b,}", ["08-a", "08-b", "08-", "09-a", "09-b", "09-"]),
        ("{x}{1..}{..2}{}", ["{x}{1..}{..2}{}"]),
        ("plain.png", ["plain.png"]),
    ],
)
def test_braces_stand_for_what_a_shell_makes_of_them(argument: str, names: list[str]) -> None:
    assert expand_braces(argument) == names


@pytest.mark.parametrize("argument", ["{0..1000000}", "{0..9999}{0..9999}", "{0..99999999999999999999}"])
def test_braces_of_endless_names_are_refused(argument: str) -> None:
    with pytest.raises(UserError, match="stands for more than a million names"):
        expand_braces(argument)


def test_a_file_with_braces_in_its_name_is_a_file(tmp_path: Path) -> None:
    make(tmp_path, ["{a,b}.png", "a.png", "b.png"])
    assert found(tmp_path, "{a,b}.png") == ["{a,b}.png"]
    (tmp_path / "{a,b}.png").unlink()
    assert found(tmp_path, "{b,a}.png") == ["b.png", "a.png"]


@pytest.fixture
def shards(picture: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder of three tar files, of two photos each."""
    photo, folder = picture("one.png"), tmp_path / "shards"
    folder.mkdir()
    for i in range(3):
        with tarfile.open(folder / f"{i:05}.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
            for j in range(2):
                archive.add(photo, f"{j}.png")
    return folder


def test_shards_are_named_by_braces_and_a_missing_one_is_said(shards: Path) -> None:
    named = find_training_photos([f"{shards}/{{00000..00002}}.tar"])
    assert [source.name for source in named] == [f"{shards}/{i:05}.tar:{j}.png" for i in range(3) for j in range(2)]
    assert find_training_photos([f"{shards}/*.tar"]) == named
    with pytest.raises(UserError, match=r"00003\.tar: no such file"):
        find_training_photos([f"{shards}/{{00000..00003}}.tar"])


@pytest.mark.parametrize("damage", ["header", "cut"])
def test_a_shard_that_is_damaged_between_its_members_is_refused(shards: Path, damage: str) -> None:
    """A listing of the first members alone would pass for the whole."""
    tar = shards / "00001.tar"
    second = find_training_photos([str(tar)])[1].offset
    content = bytearray(tar.read_bytes())
    if damage == "cut":
        content = content[: second + 10]
    else:
        content[second - 512 + 100] ^= 0xFF
    tar.write_bytes(content)
    with pytest.raises(
        UserError, match=rf"00001\.tar: cannot read it as an uncompressed tar file: .*(data|{second - 512})"
    ):
        find_training_photos([str(shards)])


def test_each_tar_file_is_looked_up_once_and_its_members_take_little_memory(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, resolve, looked = 5000, Path.resolve, list[Path]()
    with tarfile.open(shards / "00000.tar", "w") as archive:
        for i in range(count):
            archive.addfile(tarfile.TarInfo(f"{i:08}.jpg"))

    def counted(path: Path, strict: bool = False) -> Path:
        looked.append(path)
        return resolve(path, strict)

    find_training_photos([str(shards / "00001.tar")])  # after which Pillow knows its formats
    monkeypatch.setattr(Path, "resolve", counted)
    tracemalloc.start()
    sources = find_training_photos([str(shards / "*.tar")])
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(sources) == count + 4
    assert len(looked) == 3
    assert kept < 250 * count
    assert most < 400 * count  # tarfile's own list would add 350
