"""Atomic writing of files, protection of other files, and checksums."""

import hashlib
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from latentloop.errors import UserError, in_one_line, unreadable

if sys.platform != "win32":
    import fcntl

PART = re.compile(r"\.latentloop-[0-9a-f]{16}\.part")
"""Pattern of the names of temporary files."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which replaces `path` when the block ends without an error.

    A missing folder is created. After an error, a kill or a power cut, an old file at `path` is unchanged. Temporary
    files of killed processes are deleted when a process first writes to the folder.

    Raises:
        UserError: The folder cannot be created, or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers_once(path.parent.absolute())
        part, held = _begin(path.parent)
    except OSError as error:
        raise UserError(f"{path}: cannot write here: {error.strerror or error}") from error
    try:
        yield part
        _flush(part)
        if sys.platform == "win32":  # Windows cannot rename an open file
            held.close()
        part.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot write here: {error.strerror or error}") from error
    finally:
        held.close()
        part.unlink(missing_ok=True)


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write files that belong together: all are on the disk before the first one, in order, gets its name.

    Raises:
        UserError: A file cannot be written; all are then as before, unless only the renaming of one failed.
    """
    with ExitStack() as stack:
        for path, content in reversed([*files.items()]):  # ExitStack leaves its contexts in reverse order
            part = stack.enter_context(replacing(path))
            part.write_bytes(content)
            _flush(part)


def refuse_overwriting(path: Path, sources: Iterable[Path], *, ours: bool) -> None:
    """Check that writing a result replaces neither one of its sources nor a file that is not an earlier result.

    Args:
        path: File of the result.
        sources: Files from which it is made.
        ours: Whether a file at `path` is an earlier result of the same kind, which may be replaced.

    Raises:
        UserError: The result would replace such a file, or `path` is not a possible name of a file.
    """
    try:
        taken = path.is_symlink() or (path.exists() and not ours)
    except (OSError, ValueError) as error:
        raise UserError(f"{path.name!r}: not a possible name of a file") from error
    if taken or path.resolve() in {source.resolve() for source in sources}:
        raise UserError(f"the result would overwrite {path}; choose another folder", arguments="out")


def refuse_no_file(path: Path, *, what: str) -> None:
    """Check that a path names a regular file, which can be read more than once.

    Args:
        path: Path to check.
        what: Expected content, for the message: "an image".

    Raises:
        UserError: The path is missing, a folder, a pipe or a device, or cannot be examined.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        raise UserError(f"{path}: {'no such file' if missing else unreadable(error) or in_one_line(error)}") from error
    if stat.S_ISDIR(mode):
        reason = f"a folder, not {what}" if os.access(path, os.R_OK | os.X_OK) else "this folder cannot be read"
        raise UserError(f"{path}: {reason}")
    if not stat.S_ISREG(mode):
        raise UserError(f"{path}: a pipe or a device, which can be read only once; save it as a file first")


@contextmanager
def naming_unreadable(path: Path) -> Iterator[None]:
    """Turn an operating system's error about reading a file into a `UserError` that begins with its path.

    Raises:
        UserError: The file is missing, or may not or cannot be read.
        OSError: Unchanged, if it is about the file's content.
    """
    try:
        yield
    except OSError as error:
        if reason := unreadable(error):
            raise UserError(f"{path}: {reason}") from error
        raise


def check_writable(folder: Path) -> None:
    """Create a folder if it is missing, and check that files can be written there; meant for before long work.

    Raises:
        UserError: The folder cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(f"{folder}: cannot write here: {error.strerror or error}") from error


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files of killed processes in a folder; files that are being written are kept."""
    with suppress(OSError):
        for part in [one for one in folder.iterdir() if PART.fullmatch(one.name)]:
            _remove_if_left(part)


def _begin(folder: Path) -> tuple[Path, BinaryIO]:
    """Create and lock a temporary file, which counts as being written until the file object is closed."""
    while True:
        part = folder / f".latentloop-{secrets.token_hex(8)}.part"
        held = part.open("xb")
        if sys.platform == "win32":  # Windows keeps open files from being deleted, and locked ones from being written
            return part, held
        with suppress(OSError):  # the file system may not support locks
            fcntl.flock(held, fcntl.LOCK_EX)
        if os.fstat(held.fileno()).st_nlink:  # otherwise deleted as a leftover before it was locked: try again
            return part, held
        held.close()


def _remove_if_left(part: Path) -> None:
    """Delete a temporary file unless a process holds its lock, or the file system does not support locks."""
    with suppress(OSError), part.open("rb") as file:
        if sys.platform == "win32":
            file.close()
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.unlink(missing_ok=True)


_remove_leftovers_once = cache(remove_leftovers)


def _flush(path: Path) -> None:
    """Wait until a file's content is on the disk, so that a rename cannot reach the disk before it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sha256_of(path: Path) -> str:
    """Compute the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Return the folder for files that are downloaded or computed once per user.

    It is the environment variable LATENTLOOP_CACHE if set, else the folder latentloop in XDG_CACHE_HOME or ~/.cache.
    """
    if folder := os.environ.get("LATENTLOOP_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "latentloop"
