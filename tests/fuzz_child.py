"""Reads damaged files of one kind, in a process of its own: `python -m fuzz_child KIND COUNT FOLDER`.

A file that is neither read nor refused with a `UserError` is kept in FOLDER/found, and printed with what happened. What
kills the process (a crash, 10 seconds without an end) leaves its file as the last one in FOLDER.
"""

import os
import re
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from av.error import FFmpegError
from hypothesis import HealthCheck, Phase, given, settings

from damage import Damage, damages
from latentloop.errors import UserError
from readers import READERS, Reader

SECONDS = 10
MEMORY = 2 << 30
"""Bytes of address space beyond what the process has when it begins."""
EXECUTED = 99
"""Exit code after a reader began to execute something."""
EXECUTION = [
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "pickle.find_class",
    "shutil.rmtree",
    "os.remove",
    "socket.connect",
]
"""Events of Python's audit that no reader has a reason for."""
MOST = 5
"""Files that are kept of a kind."""


def read_damaged(
    reader: Reader, folder: Path, count: int, read: Callable[[Path, Damage], None], *, repeatable: bool
) -> None:
    """Call `read` with `count` damaged files, one after another; the name is always the same."""
    (folder / "whole").mkdir(parents=True, exist_ok=True)
    (folder / "damaged").mkdir(exist_ok=True)
    whole, damaged = folder / "whole" / reader.name, folder / "damaged" / reader.name
    reader.build(whole)
    content = whole.read_bytes()
    reader.read(whole)

    @settings(
        max_examples=count,
        derandomize=repeatable,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(damage=damages)
    def example(damage: Damage) -> None:
        for old in damaged.parent.iterdir():  # a log of the database, too
            old.unlink()
        damaged.write_bytes(damage.of(content, reader.layout))
        read(damaged, damage)

    example()


def problem_of(reader: Reader, path: Path) -> str | None:
    """What is wrong with how a file is read; None if it is read, or refused as it should be."""
    try:
        reader.read(path)
    except UserError as error:
        if re.search(r"[\x00-\x1f\x7f]", str(error)):
            return f"a message that cannot be printed: {error!r}"
        return "it met the limit of memory" if _met_limit(error) else None
    except Exception:  # noqa: BLE001 - this is what is looked for
        return traceback.format_exc()
    return None


def _met_limit(error: BaseException | None) -> bool:
    while error is not None:
        # FFmpeg has a limit of its own, and calls it so.
        if isinstance(error, MemoryError) and not isinstance(error, FFmpegError):
            return True
        if isinstance(error, RuntimeError) and "allocate memory" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def main(kind: str, count: int, folder: Path) -> int:
    """Read damaged files of a kind; returns 1 if one was kept."""
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    reader, found = READERS[kind], folder / "found"
    reading = limited = False

    def audit(event: str, _: object) -> None:
        if reading and event in EXECUTION:
            os.write(2, f"executed: {event}\n".encode())
            os._exit(EXECUTED)

    def read(path: Path, damage: Damage) -> None:
        nonlocal reading, limited
        if not limited:  # what reading needs is loaded now
            resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MEMORY, resource.RLIM_INFINITY))
            sys.addaudithook(audit)
            limited = True
        kept = len(list(found.iterdir())) if found.is_dir() else 0
        if kept >= MOST:
            return
        signal.alarm(SECONDS)
        reading = True
        problem = problem_of(reader, path)
        reading = False
        signal.alarm(0)
        if problem:
            found.mkdir(exist_ok=True)
            (found / f"{kept}-{path.name}").write_bytes(path.read_bytes())
            print(f"{damage}\n{problem}", flush=True)  # noqa: T201

    read_damaged(reader, folder, count, read, repeatable=False)
    return int(found.is_dir())


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
