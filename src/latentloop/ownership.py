"""Recognising files that latentloop wrote, by their content, never by their name or place.

Pictures and JSON files carry a mark, "latentloop COMMAND KEY"; tables and pages are recognised by their beginning.
Other files of such names are the user's, and are never replaced.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeGuard

from latentloop.errors import UserError
from latentloop.image_info import gif_comment, jpeg_comment, png_comment
from latentloop.json_files import decode_json, read_json

Ours = Callable[[Path], bool]
"""Function that returns, by a file's content, whether it is an earlier result, which may be replaced."""
MARK = "signature"
"""Key of the mark in a JSON object, and in the details of a code file."""
BEGINNING = 2000
"""Number of characters at the beginning of a text file in which `beginning_with` searches."""


def mark(command: str, key: str = "") -> str:
    """Return the mark of a command's files.

    Args:
        command: Name of the command.
        key: Key that distinguishes its results; empty if they need not be distinguished.
    """
    return f"latentloop {command} {key}".rstrip()


def mark_in(path: Path, command: str) -> str | None:
    """Read a command's mark in a .png, .jpg, .gif or .json file; None if the file has none."""
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
    except (OSError, ValueError):  # ValueError for impossible file names, such as with a null character
        return None
    return text if is_mark(text, command) else None


def is_mark(text: object, command: str) -> TypeGuard[str]:
    """Return whether a text is a mark of a command."""
    return isinstance(text, str) and text.split(" ")[:2] == ["latentloop", command]


def marked_by(command: str) -> Ours:
    """Return a function that checks whether a file has the mark of a command."""
    return lambda path: mark_in(path, command) is not None


def beginning_with(text: str) -> Ours:
    """Return a function that checks whether a text file contains `text` near its beginning."""

    def ours(path: Path) -> bool:
        with path.open(encoding="utf-8", errors="replace") as file:
            return text in file.read(BEGINNING)

    return ours


def with_entries(first: str, *others: str) -> Ours:
    """Return a function that checks whether a JSON file is an object with some entries, or a truncated one.

    Args:
        first: Name of the entry that is written first, which is enough in a truncated file.
        others: Names of further entries.
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
    """Return whether a path is taken by something that latentloop did not write: a link, a folder, another file."""
    if path.is_symlink() or not path.exists():
        return path.is_symlink()
    try:
        return not (path.is_file() and ours(path))
    except OSError:
        return True


def refuse_foreign(paths: Iterable[Path], ours: Ours) -> None:
    """Check, before any work, that results replace only files that latentloop wrote.

    Raises:
        UserError: A result would replace another file.
    """
    for path in paths:
        if is_foreign(path, ours):
            raise UserError(f"the result would overwrite {path}; choose another folder", arguments="out")


def refuse_links(*paths: Path) -> None:
    """Check that the folders and files of a result, which may be missing, are not symbolic links.

    Raises:
        UserError: A path is a symbolic link.
    """
    for path in paths:
        if path.is_symlink():
            raise UserError(f"{path}: a link, and results would go where it leads; remove it", arguments="out")


def json_object(path: Path) -> dict[str, object]:
    """Read the object in a JSON file; empty if the file is unreadable or holds another value."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _mark_of_json(path: Path) -> object:
    return json_object(path).get(MARK)
