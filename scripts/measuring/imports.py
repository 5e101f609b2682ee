"""Modules of the repository that a file imports, directly and through others, as its source says; nothing is run.

Tools that draw graphs of imports see neither scripts nor which module a name of a lazily loaded package is from.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path


def upstream(roots: Sequence[Path], *, folders: Sequence[Path], without: tuple[str, ...] = ()) -> dict[str, str]:
    """Collect the sources that some files import, directly and through others, and these files' own.

    Imports inside of functions count. A name that a package gives to `lazy_loader` leads to the module that defines it,
    and the package itself to all of these.

    Args:
        roots: Files to begin with, each in one of the folders.
        folders: Folders of packages and modules; imports from elsewhere do not count.
        without: Beginnings of paths, relative to these folders, that are left out and not followed.

    Returns:
        Sources by path relative to their folder.

    Raises:
        FileNotFoundError: A file to begin with does not exist.
    """
    waiting, found = list(roots), dict[str, str]()
    while waiting:
        path = waiting.pop()
        place = next(path.relative_to(one).as_posix() for one in folders if path.is_relative_to(one))
        if place in found or place.startswith(without):
            continue
        found[place] = path.read_text(encoding="utf-8")
        waiting += [file for name in _imported(found[place]) for one in folders for file in _files(name, one)]
    return found


@cache
def _imported(source: str) -> tuple[str, ...]:
    """List the dotted names that a module imports.

    Raises:
        ValueError: An import is relative.
    """
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"imports relative to a module, such as {ast.unparse(node)}, are not followed")
            names += [f"{node.module}.{one.name}" for one in node.names]
    return tuple(names)


def _files(name: str, folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that an import of a dotted name runs: packages on the way, then the module.

    A lazily loaded package that is imported itself may run all that it offers.
    """
    at = folder
    for part in name.split("."):
        if (module := at / f"{part}.py").is_file():
            yield module
            return  # what follows is a name in it
        if not (package := at / part / "__init__.py").is_file():
            offered = [one for key, one in _stub(at / "__init__.pyi").items() if key == part]
            break
        yield package
        at = package.parent
    else:
        offered = list(_stub(at / "__init__.pyi").values())
    for one in offered:
        yield from _files(".".join((*at.relative_to(folder).parts, one)), folder)


def _stub(path: Path) -> Mapping[str, str]:
    """Read the stub of a lazily loaded package: where each of its names is, relative to the package."""
    return _relative(path.read_text(encoding="utf-8")) if path.is_file() else {}


@cache
def _relative(stub: str) -> Mapping[str, str]:
    return {
        name.asname or name.name: ".".join(filter(None, (node.module, name.name)))
        for node in ast.walk(ast.parse(stub))
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
