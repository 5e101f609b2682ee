"""Checksum of the sources and weights that a measurement depends on."""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""Folder of the repository."""
PACKAGE = ROOT / "src" / "latentloop"
"""Folder of the package."""


def checksum(packages: Sequence[str], weights: Sequence[str], *, package: Path = PACKAGE) -> str:
    """Compute the SHA-256 of what a measurement depends on.

    Comments, docstrings and blank lines of the sources do not count.

    Args:
        packages: Packages and modules of the package, such as "generators" and "benchmark/speed".
        weights: Files of its assets.
        package: Folder of the package.

    Raises:
        FileNotFoundError: A package or a file does not exist.
    """
    content = hashlib.sha256()
    for name in sorted(packages):
        for path in _modules(package / name):
            content.update(path.relative_to(package).as_posix().encode() + b"\0")
            content.update(bare(path.read_text(encoding="utf-8")).encode() + b"\0")
    for name in sorted(weights):
        content.update(name.encode() + b"\0" + hashlib.sha256((package / "assets" / name).read_bytes()).digest())
    return content.hexdigest()


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


def _modules(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(path.rglob("*.py"))
    elif path.with_suffix(".py").is_file():
        yield path.with_suffix(".py")
    else:
        raise FileNotFoundError(f"{path}: no package and no module")
