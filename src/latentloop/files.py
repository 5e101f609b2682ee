"""Files that appear whole or not at all."""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from latentloop.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes `path` once the block has ended well.

    The folder is made if it is missing. An error, a kill or a power cut leaves what stood at `path` untouched.

    Raises:
        UserError: The folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".latentloop-{secrets.token_hex(8)}.part")
        part.touch(exist_ok=False)
    except OSError as error:
        raise UserError(f"{path}: cannot write here: {error.strerror or error}") from error
    try:
        yield part
        _flush(part)
        part.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot write here: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def refuse_overwriting(path: Path, sources: Iterable[Path], *, ours: bool) -> None:
    """See that a result does not take the place of a file that it is made of, or of a stranger.

    Args:
        path: Of the result.
        sources: What it is made of.
        ours: What is there already is an earlier result, and may go.

    Raises:
        UserError: It would, or no file can have that name.
    """
    try:
        taken = path.exists() and not ours
    except (OSError, ValueError) as error:
        raise UserError(f"{path.name!r}: no name for a file") from error
    if taken or path.resolve() in {source.resolve() for source in sources}:
        raise UserError(f"the result would overwrite {path}; choose another folder", arguments="out")


def remove_leftovers(folder: Path) -> None:
    """Delete what a killed process left of files that it was writing there; nobody else may be writing."""
    for part in folder.glob(".latentloop-*.part"):
        part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until a file's content is on the disk, so that its new name cannot get there before it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
