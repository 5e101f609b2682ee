"""Checksum of the sources that a measurement depends on."""

import ast
import hashlib
import io
import tokenize
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from measuring.imports import upstream

ROOT = Path(__file__).parents[2]
"""Folder of the repository."""
PACKAGE = ROOT / "src" / "latentloop"
"""Folder of the package."""
FOLDERS = (PACKAGE.parent, ROOT / "scripts")
"""Folders whose modules count."""
NEUTRAL = (
    *("latentloop/checkpoints/", "latentloop/errors", "latentloop/extras", "latentloop/globs", "latentloop/hub/"),
    *("latentloop/json_files", "latentloop/ownership", "latentloop/version", "latentloop/cli/commands"),
)
"""Sources that no figure depends on: they find and check files, read those of other projects, and speak of errors."""


def checksum(
    roots: Sequence[Path],
    *,
    command: Sequence[str] = (),
    without: tuple[str, ...] = (),
    folders: Sequence[Path] = FOLDERS,
) -> str:
    """Compute the SHA-256 of what a measurement depends on: its command, and all that its sources import.

    Comments, docstrings and blank lines do not count. Weights do: the source that names a file of the package says its
    checksum, too, and another file is not read. JavaScript counts with the package that it is in.

    Args:
        roots: Files that the measurement begins with.
        command: Words of its command.
        without: Beginnings of paths, relative to the folders, that do not count, beside those of `NEUTRAL`.
        folders: Folders of packages and modules.

    Raises:
        FileNotFoundError: A file to begin with does not exist.
    """
    found = upstream(roots, folders=folders, without=NEUTRAL + without)
    sources = {place: bare(source) for place, source in found.items()}
    for folder in folders:
        scripts = {script for place in found for script in (folder / place).parent.glob("*.js")}
        sources |= {one.relative_to(folder).as_posix(): one.read_text(encoding="utf-8") for one in scripts}
    content = hashlib.sha256("\0".join(command).encode())
    for place, source in sorted(sources.items()):
        content.update(f"\0{place}\0{source}".encode())
    return content.hexdigest()


@cache
def bare(source: str) -> str:
    """Remove comments, docstrings and blank lines from a module.

    The text of the rest stays: what `ast.dump` and `ast.unparse` write differs between versions of Python.
    """
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for row in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                lines[row - 1] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())
