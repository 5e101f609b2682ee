import hashlib
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from latentloop.errors import UserError
from latentloop.files import PART, refuse_overwriting, remove_leftovers, replacing, sha256_of, write_together


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_text("old")
    return path


def write_half(path: Path, error: BaseException) -> None:
    with replacing(path) as part:
        part.write_text("half of")
        raise error


def test_a_file_is_replaced_only_once_the_block_has_ended(old: Path) -> None:
    with replacing(old) as part:
        part.write_text("new")
        assert old.read_text() == "old"
    assert old.read_text() == "new"
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("error", [ValueError("stop"), KeyboardInterrupt("stop")])
def test_an_error_in_the_block_comes_through_and_leaves_the_old_file(old: Path, error: BaseException) -> None:
    with pytest.raises(type(error), match="stop"):
        write_half(old, error)
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


def test_a_full_disk_is_the_users_error_and_leaves_the_old_file(old: Path) -> None:
    with pytest.raises(UserError, match=r"report\.txt: cannot write here: No space left on device"):
        write_half(old, OSError(28, "No space left on device"))
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


def test_an_error_at_a_new_path_leaves_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"):
        write_half(tmp_path / "new.txt", ValueError("stop"))
    assert not list(tmp_path.iterdir())


def test_missing_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    with replacing(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"


def test_the_temporary_file_stands_in_the_same_folder(tmp_path: Path) -> None:
    with replacing(tmp_path / "new.txt") as part:
        assert part.parent == tmp_path
        assert part.name.startswith(".latentloop-")
        assert part.suffix == ".part"


def test_a_folder_that_cannot_be_made_is_the_users_error(old: Path) -> None:
    path = old / "inside a file.txt"
    with pytest.raises(UserError, match=r"inside a file\.txt: cannot write here: \w+"), replacing(path):
        pytest.fail("nothing can be written here")
    assert old.read_text() == "old"


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(UserError, match="folder: cannot write here"), replacing(folder) as part:
        part.write_text("new")
    assert list(tmp_path.iterdir()) == [folder]


def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain.txt", tmp_path / "replaced.txt"
    plain.write_text("")
    with replacing(path) as part:
        part.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 5000], ids=["empty", "short", "long"])
def test_the_checksum_is_that_of_all_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()


def test_the_checksum_of_abc_is_that_of_the_standard(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1


LEFTOVER = ".latentloop-0123456789abcdef.part"


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    others = {"mine.part", ".latentloop-notes.part", f"{LEFTOVER}.bak"}
    for name in (LEFTOVER, *others):
        (tmp_path / name).write_text("half of")
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == others


def test_a_file_that_is_being_written_is_no_leftover(old: Path) -> None:
    with replacing(old) as part:
        part.write_text("new")
        remove_leftovers(old.parent)
        assert part.exists()
    assert old.read_text() == "new"
    assert list(old.parent.iterdir()) == [old]


def test_the_first_file_that_is_written_clears_what_killed_processes_left(tmp_path: Path) -> None:
    (tmp_path / LEFTOVER).write_text("half of")
    with replacing(tmp_path / "new.txt") as part:
        part.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["new.txt"]


def test_the_temporary_file_of_a_killed_process_is_one_that_nobody_holds(tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from latentloop.files import replacing
with replacing(Path({str(tmp_path / "new.txt")!r})) as part:
    part.write_text("half of")
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    (left,) = tmp_path.iterdir()
    assert PART.fullmatch(left.name)
    remove_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())


def test_files_that_belong_together_get_their_names_when_all_are_written(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, rename = list[str](), Path.replace

    def observed(part: Path, path: Path) -> Path:
        assert len([one for one in old.parent.rglob("*") if PART.fullmatch(one.name)]) == 2 - len(order)
        order.append(path.name)
        return rename(part, path)

    monkeypatch.setattr(Path, "replace", observed)
    write_together({old.with_name("picture"): b"1", old: b"2"})
    assert order == ["picture", old.name]
    assert (old.with_name("picture").read_bytes(), old.read_bytes()) == (b"1", b"2")


def test_none_of_several_files_is_replaced_where_one_cannot_be_written(old: Path) -> None:
    with pytest.raises(UserError, match=re.escape(str(old / "inside"))):
        write_together({old: b"new", old / "inside": b"new"})
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


def test_a_result_replaces_an_earlier_one_alone(old: Path) -> None:
    refuse_overwriting(old, [old.with_name("photo.jpg")], ours=True)
    refuse_overwriting(old.with_name("new.txt"), [old], ours=False)
    with pytest.raises(UserError, match=rf"^the result would overwrite {re.escape(str(old))}; choose another") as error:
        refuse_overwriting(old, [], ours=False)
    assert error.value.arguments == ("out",)


def test_a_result_never_replaces_what_it_is_made_of(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(old.parent)
    with pytest.raises(UserError, match="would overwrite"):
        refuse_overwriting(old, [Path("report.txt")], ours=True)
