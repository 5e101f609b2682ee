"""Which files are ours: their content tells, never their name or what stands beside them.

Pictures and JSON files carry a mark, "latentloop COMMAND KEY"; tables and pages are known by how they begin. Another
file of such a name is somebody else's, and stays.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeGuard

from latentloop.errors import UserError
from latentloop.image_info import gif_comment, jpeg_comment, png_comment
from latentloop.json_files import decode_json, read_json

Ours = Callable[[Path], bool]
"""Tells by its content whether a file is an earlier result, which may be replaced."""
MARK = "signature"
"""Name of the mark in a JSON object, and in the details of a code file."""
BEGINNING = 2000
"""Characters of a text within which it is known."""


def mark(command: str, key: str = "") -> str:
    """Make the mark of a command's files.

    Args:
        command: Name of the command.
        key: What tells its results apart, if anything has to.
    """
    return f"latentloop {command} {key}".rstrip()


def mark_in(path: Path, command: str) -> str | None:
    """Read the mark in a .png, .jpg, .gif or .json file; None if there is none of that command."""
    readers: dict[str, Callable[[Path], object]] = {
        ".png": png_comment,
        ".jpg": jpeg_comment,
        ".jpeg": jpeg_comment,
        ".gif": gif_comment,
        ".json": _mark_of_json,
    }
    reader = readers.get(path.suffix.lower())
    try:
        text = reader(path) if reader and path.is_file() else None
    except (OSError, ValueError):  # no name that a file can have
        return None
    return text if is_mark(text, command) else None


def is_mark(text: object, command: str) -> TypeGuard[str]:
    """Return whether a text is a mark of a command."""
    return isinstance(text, str) and text.split(" ")[:2] == ["latentloop", command]


def marked_by(command: str) -> Ours:
    """Return a function that tells whether a file has a mark of a command."""
    return lambda path: mark_in(path, command) is not None


def beginning_with(text: str) -> Ours:
    """Return a function that tells whether a text file has some words near its beginning."""

    def ours(path: Path) -> bool:
        with path.open(encoding="utf-8", errors="replace") as file:
            return text in file.read(BEGINNING)

    return ours


def with_entries(first: str, *others: str) -> Ours:
    """Return a function that tells whether a JSON file is an object with entries of these names, or was one.

    Args:
        first: Name of the entry that is written first; of a file that is cut off it is enough.
        others: Names of more entries.
    """
    begins = re.compile(rf'\s*\{{\s*"{re.escape(first)}"')

    def ours(path: Path) -> bool:
        text = path.read_text(encoding="utf-8", errors="replace")
        try:
            content = decode_json(text)
        except ValueError:
            return begins.match(text) is not None
        return isinstance(content, dict) and {first, *others} <= content.keys()

    return ours


def is_foreign(path: Path, ours: Ours) -> bool:
    """Return whether something is at a path that is not ours: a link, a folder, another file."""
    if path.is_symlink() or not path.exists():
        return path.is_symlink()
    try:
        return not (path.is_file() and ours(path))
    except OSError:
        return True


def refuse_foreign(paths: Iterable[Path], ours: Ours) -> None:
    """Check, before any work, that results replace nothing of somebody else.

    Raises:
        UserError: One would.
    """
    for path in paths:
        if is_foreign(path, ours):
            raise UserError(f"the result would overwrite {path}; choose another folder", arguments="out")


def refuse_links(*paths: Path) -> None:
    """Check that folders and files of a result, which may be missing, are no links to where somebody else keeps files.

    Raises:
        UserError: One is.
    """
    for path in paths:
        if path.is_symlink():
            raise UserError(f"{path}: a link, and results would go where it leads; remove it", arguments="out")


def json_object(path: Path) -> dict[str, object]:
    """Read the object in a JSON file; an empty one where there is another value, or no readable file."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _mark_of_json(path: Path) -> object:
    return json_object(path).get(MARK)
