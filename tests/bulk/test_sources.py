import os
import subprocess
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from bulk_inputs import table_of, tar_of
from latentloop.bulk import BulkPhoto, find_bulk_photos
from latentloop.bulk.photos import photo_table, photos_in
from latentloop.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with photos on several levels, and what is no photo."""
    for name in ("b.jpg", "a.png", "notes.md", ".hidden.jpg", "deep/er/c.webp", ".cache/d.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(name.encode())
    return tmp_path / "in"


def names(photos: list[BulkPhoto], folder: Path) -> list[str]:
    return [photo.path.replace(f"{folder}{os.sep}", "").replace(os.sep, "/") for photo in photos]


def test_a_folder_gives_all_photos_below_it_in_order(folder: Path) -> None:
    assert names(find_bulk_photos([str(folder)]), folder) == ["a.png", "b.jpg", "deep/er/c.webp"]


def test_tar_files_give_their_members(tmp_path: Path) -> None:
    shard = tar_of(tmp_path / "s.tar", [("x/1.jpg", b"one"), ("1.txt", b"label"), ("2.jpg", b"two!")])
    photos = find_bulk_photos([str(shard)])
    assert names(photos, tmp_path) == ["s.tar:x/1.jpg", "s.tar:2.jpg"]
    assert [photo.read() for photo in photos] == [b"one", b"two!"]


@pytest.mark.parametrize("nested", [False, True])
def test_parquet_files_give_their_rows(tmp_path: Path, nested: bool) -> None:
    table = table_of(tmp_path / "t.parquet", [b"0", b"1", b"2", None, b"4"], nested=nested)
    photos = find_bulk_photos([str(table)])
    assert names(photos, tmp_path) == [f"t.parquet:{i}" for i in range(5)]
    assert [photo.read() for photo in photos if photo.path[-1] != "3"] == [b"0", b"1", b"2", b"4"]
    with pytest.raises(UserError, match=r"t\.parquet:3: this row has no image"):
        photos[3].read()


def test_a_text_file_gives_the_paths_in_its_lines(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{folder / 'a.png'}\n\n  {folder / 'gone.jpg'}\n")
    photos = find_bulk_photos([str(tmp_path / "list.txt")])
    assert names(photos, folder) == ["a.png", "gone.jpg"]
    with pytest.raises(UserError, match=r"gone\.jpg: no such file"):
        photos[1].read()


def test_globs_and_relative_names_are_the_same_photos(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    photos = find_bulk_photos(["*.jpg", str(folder), "a.png"])
    assert names(photos, folder) == ["b.jpg", "a.png", "deep/er/c.webp"]


def test_a_file_that_cannot_be_listed_is_told_and_the_others_go_on(folder: Path) -> None:
    (folder / "broken.tar").write_bytes(b"junk" * 200)
    (folder / "broken.parquet").write_bytes(b"junk")
    pyarrow.parquet.write_table(pyarrow.table({"a": [b"1"], "b": [b"2"]}), folder / "two.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), folder / "none.parquet")
    told: list[str] = []
    photos = find_bulk_photos([str(folder)], warn=told.append)
    assert names(photos, folder) == ["a.png", "b.jpg", "deep/er/c.webp"]
    problems = [
        "broken.parquet: cannot read",
        "broken.tar: cannot read",
        "none.parquet: no col",
        "two.parquet: several",
    ]
    assert [any(problem in one for one in told) for problem in problems] == [True] * 4
    assert len(told) == 4


@pytest.mark.parametrize("argument", ["", "empty"])
def test_nothing_to_embed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    with pytest.raises(UserError, match="an empty name" if not argument else "none of the arguments names a photo"):
        find_bulk_photos([argument], warn=told.append)
    assert [one.startswith("empty: no photos") for one in told] == [True] * bool(argument)


def test_lists_name_what_arguments_do_but_no_lists(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(f"\ufeff{folder}/b*g\r\n{folder}\n{tmp_path}/list.txt\n".encode())
    photos = find_bulk_photos([str(tmp_path / "list.txt")])
    assert names(photos, folder) == ["b.jpg", "a.png", "deep/er/c.webp"]
    assert names(find_bulk_photos([str(folder / "{a,b}.*g")]), folder) == ["a.png", "b.jpg"]


def test_a_photo_under_two_names_is_one(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link.jpg").symlink_to(folder / "b.jpg")
    photos = find_bulk_photos(
        [str(folder / "b.jpg"), str(folder / "deep" / ".." / "b.jpg"), str(tmp_path / "link.jpg")]
    )
    assert names(photos, folder) == ["b.jpg"]


def test_values_that_ray_would_unpickle_are_refused(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = f"""
import pyarrow, pyarrow.parquet, ray.data
from ray.data._internal.object_extensions.arrow import ArrowPythonObjectArray

class Evil:
    def __reduce__(self):
        return open, ({str(ran)!r}, "w")

for column in ("path", "image"):
    values = ArrowPythonObjectArray.from_objects([Evil()])
    pyarrow.parquet.write_table(pyarrow.table({{column: values}}), {str(tmp_path)!r} + f"/{{column}}.parquet")
from pathlib import Path
from latentloop.bulk.photos import BulkPhoto
from latentloop.bulk.sources import find_bulk_photos
from latentloop.errors import UserError
from latentloop.records.parquet import open_parquet
for name in ("path", "image"):
    try:
        open_parquet(Path({str(tmp_path)!r}, f"{{name}}.parquet"))
    except UserError as error:
        print(error)
find_bulk_photos([{str(tmp_path / "image.parquet")!r}, {__file__!r}], warn=print)
try:
    BulkPhoto("x", {str(tmp_path / "image.parquet")!r}, group=0, column="image").read()
except UserError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert said.stdout.count("another program's type") == 4, said.stderr
    assert not ran.exists()


def test_a_file_of_many_photos_is_resolved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = tar_of(tmp_path / "s.tar", [(f"{i}.jpg", b"photo") for i in range(5)])
    table = table_of(tmp_path / "t.parquet", [b"0", b"1", b"2"])
    resolve, seen = os.path.realpath, list[str]()

    def counted(path: str) -> str:
        seen.append(path)
        return resolve(path)

    monkeypatch.setattr("latentloop.bulk.sources.os.path.realpath", counted)
    assert len(find_bulk_photos([str(shard), str(table)])) == 8
    assert [path for path in seen if path in (str(shard), str(table))] == [str(shard), str(table)]


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are UTF-8 there")
def test_names_that_are_not_utf_8_are_escaped_and_found_again(tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
    file.write_bytes(b"coffee")
    photos = photos_in(photo_table(find_bulk_photos([str(tmp_path)])))
    assert [photo.path for photo in photos] == [f"{tmp_path}/caf\\udce9.jpg"]
    assert photos[0].read() == b"coffee"
