import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from latentloop.errors import UserError
from latentloop.folder_lock import LOCK, sole_use

HOLD = """
import sys
from pathlib import Path
from latentloop.folder_lock import sole_use
with sole_use(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> "subprocess.Popen[str]":
    """Another process that uses the folder until it may read."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    return process


def test_a_folder_in_use_is_refused_in_one_line(tmp_path: Path, other: "subprocess.Popen[str]") -> None:
    with pytest.raises(UserError, match="another latentloop is at work here") as refused, sole_use(tmp_path):
        pytest.fail("two are at work in it")
    assert "\n" not in str(refused.value)
    other.communicate()


def test_a_folder_in_use_can_be_waited_for(tmp_path: Path, other: "subprocess.Popen[str]") -> None:
    told = list[str]()

    def waiting(message: str) -> None:
        told.append(message)
        Timer(0.2, other.communicate).start()

    with sole_use(tmp_path, waiting):
        assert other.wait() == 0
    assert told == [f"{tmp_path}: waiting until another latentloop is done here"]


def test_a_killed_process_keeps_nobody_away(tmp_path: Path, other: "subprocess.Popen[str]") -> None:
    os.kill(other.pid, signal.SIGKILL)
    other.communicate()
    assert (tmp_path / LOCK).exists()
    with sole_use(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_made_and_nothing_left_in_it(tmp_path: Path) -> None:
    with sole_use(tmp_path / "deep" / "out"):
        assert (tmp_path / "deep" / "out" / LOCK).exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["deep"]


def test_a_folder_of_the_user_stays_and_so_do_results(tmp_path: Path) -> None:
    with sole_use(tmp_path):
        pass
    with sole_use(tmp_path / "out"):
        (tmp_path / "out" / "result").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "result"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UserError, match="out: cannot write here"), sole_use(tmp_path / "out"):
        pytest.fail("it is a file")


@pytest.mark.parametrize(("number", "works"), [(95, True), (38, True), (37, True), (5, False)])
def test_a_file_system_without_locks_is_used_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, works: bool
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, "as asked")

    monkeypatch.setattr("fcntl.flock", fail)
    if works:
        with sole_use(tmp_path):
            pass
    else:
        with pytest.raises(UserError, match="cannot write here: as asked"), sole_use(tmp_path):
            pytest.fail("it cannot be written to")


def test_the_same_process_cannot_use_it_twice(tmp_path: Path) -> None:
    with sole_use(tmp_path), pytest.raises(UserError, match="at work here"), sole_use(tmp_path):
        pytest.fail("two are at work in it")


def test_waiting_for_oneself_is_refused(tmp_path: Path) -> None:
    with sole_use(tmp_path), pytest.raises(UserError, match="at work here"), sole_use(tmp_path, lambda _: None):
        pytest.fail("two are at work in it")
