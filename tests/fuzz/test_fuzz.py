"""Damaged files of every kind are read, or refused in one line: no crash, no hang, little memory, nothing executed."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from damage import Damage
from foreign_files import MARK
from fuzz_child import EXECUTED, SECONDS, problem_of, read_damaged
from readers import READERS

FILES = 20_000
"""Of all kinds together, in `pytest -m fuzz`."""
SHARE = 15
"""Of each kind, in all other runs."""
KEPT = Path("fuzz-found")
"""Folder of the files that a reader fell over."""
TESTS = Path(__file__).parents[1]
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")


@pytest.mark.parametrize("kind", READERS)
def test_a_file_of_each_kind_is_put_together_as_it_was(kind: str, tmp_path: Path) -> None:
    reader, path = READERS[kind], tmp_path / READERS[kind].name
    reader.build(path)
    content = path.read_bytes()
    path.write_bytes(reader.layout.put_together(reader.layout.take_apart(content)))
    reader.read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("kind", READERS)
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "folder" / READERS[kind].name
    path.parent.mkdir()
    os.mkfifo(path)
    signal.alarm(SECONDS)
    try:
        problem = problem_of(READERS[kind], path)
    finally:
        signal.alarm(0)
    assert not problem


@pytest.mark.parametrize("kind", READERS)
def test_some_damaged_files_are_read_or_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def read(path: Path, damage: Damage) -> None:
        problem = problem_of(READERS[kind], path)
        assert not problem, f"{damage}\n{problem}"

    read_damaged(READERS[kind], tmp_path, SHARE, read, repeatable=True)
    assert not (tmp_path / MARK).exists()


@linux
@pytest.mark.fuzz
@pytest.mark.parametrize("kind", READERS)
def test_thousands_of_damaged_files_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    count = -(-FILES // len(READERS))
    paths = [str(TESTS), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "fuzz_child", kind, str(count), str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        kept = KEPT / kind
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(tmp_path, kept)
        how = {EXECUTED: "something was executed", -14: f"took more than {SECONDS} s"}.get(done.returncode, "")
        pytest.fail(f"exit code {done.returncode} {how}; see {kept.absolute()}\n{done.stdout}{done.stderr}")
    assert not (tmp_path / MARK).exists()
