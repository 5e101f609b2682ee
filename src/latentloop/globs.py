"""Glob matching that follows links without looping."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path


def files_matching(pattern: str) -> Iterator[str]:
    """Iterate over the paths that a glob matches, each once, in no particular order.

    Below `**` each folder is visited once, by one of its paths: links back to a folder would give endless paths.
    """
    seen: set[str] = set()
    for path in _matching(pattern):
        if path not in seen:
            seen.add(path)
            yield path


def _matching(pattern: str) -> Iterator[str]:
    parts = Path(pattern).parts
    if "**" not in parts:
        yield from glob.glob(pattern)  # noqa: PTH207 - Path.glob takes no absolute pattern
        return
    at = parts.index("**")
    above, below = os.path.join(*parts[:at], ""), parts[at + 1 :] or ("*",)  # noqa: PTH118 - of no parts: ""
    for root in glob.glob(above) if above else [""]:  # noqa: PTH207
        for folder in _folders_in(root):
            yield from _matching(os.path.join(glob.escape(folder), *below))  # noqa: PTH118


def _folders_in(root: str) -> Iterator[str]:
    """A folder and all non-hidden folders within it, each once; links are followed last."""
    seen: set[str] = set()
    waiting: list[str] = [root]
    links: list[str] = []
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        if (real := os.path.realpath(folder)) in seen:
            continue
        seen.add(real)
        yield folder
        for name in _listed(folder):
            path = os.path.join(folder, name)  # noqa: PTH118
            if not name.startswith(".") and os.path.isdir(path):  # noqa: PTH112 - False, whatever is wrong with it
                (links if os.path.islink(path) else waiting).append(path)  # noqa: PTH114


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder or os.curdir), reverse=True)  # noqa: PTH208
    except OSError:
        return []
