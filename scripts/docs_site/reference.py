"""Reference of the package: a page for each room, made from its docstrings."""

import sys
from collections.abc import Iterator
from pathlib import Path

import griffe

from draw_architecture import LAST, floors

PACKAGE = "latentloop"
TITLES = {
    "doors": "Doors",
    "jobs": "Jobs",
    "methods": "Methods and measures",
    "networks": "Networks and pictures",
    "ground": "Ground",
}
"""Headings of the kinds of floors."""


def load_package(source: Path) -> griffe.Module:
    """Read the package's modules, names and docstrings without importing them.

    Args:
        source: Folder that holds the package.
    """
    package = griffe.load(PACKAGE, search_paths=[source], docstring_parser="google")
    if not isinstance(package, griffe.Module):
        sys.exit(f"{source}: no package {PACKAGE}")
    return package


def rooms() -> dict[str, list[str]]:
    """List the rooms of each kind of floor, from above."""
    kinds = iter(LAST)
    kind = next(kinds)
    found: dict[str, list[str]] = {kind: [] for kind in LAST}
    for floor in floors():
        found[kind] += floor
        if LAST[kind] in floor:
            kind = next(kinds, kind)
    return found


def room_page(package: griffe.Module, room: str) -> str:
    """Write the page of a room: its purpose, the names that it offers, and each of its modules in full."""
    module = package.modules[room]
    modules = [one for one in _modules(module) if not one.is_init_module or _own(one)]
    lines = [f"# {module.path}" + (f" {{ #{module.path} }}" if module not in modules else ""), ""]
    if module.is_init_module:
        listed = [f"| [`{name}`][{target.path}] | {summary(target)} |" for name, target in offered(module)]
        lines += [text(module), ""] + (["| name | what |", "|---|---|", *listed, ""] if listed else [])
    return "\n".join([*lines, *(f"::: {one.path}\n" for one in modules)])


def front_page(package: griffe.Module) -> str:
    """Write the first page of the reference: what `import latentloop` offers, and the rooms."""
    lines = ["# Reference", "", f"`import {PACKAGE} as ll` offers these names.", "", "| name | what |", "|---|---|"]
    lines += [f"| [`ll.{name}`][{target.path}] | {summary(target)} |" for name, target in offered(package)]
    lines += ["", "The package has a room for each job and each idea; a room imports only from rooms below it"]
    lines += ["([how they fit together](../architecture.md)).", ""]
    for kind, names in rooms().items():
        lines += [f"## {TITLES[kind]}", "", "| room | what |", "|---|---|"]
        lines += [f"| [`{room}`]({room}.md) | {summary(package.modules[room])} |" for room in names]
        lines += [""]
    return "\n".join(lines)


def offered(module: griffe.Module) -> Iterator[tuple[str, griffe.Object]]:
    """Yield the public names that a package takes from its modules, with what they are."""
    for name, member in sorted(module.members.items(), key=lambda item: item[0].lower()):
        if not isinstance(member, griffe.Alias) or name.startswith("_"):
            continue
        if member.target_path.startswith(f"{PACKAGE}."):
            yield name, member.final_target


def summary(thing: griffe.Object) -> str:
    """Return the first line of a docstring."""
    return text(thing).partition("\n")[0].replace("|", "\\|")


def text(thing: griffe.Object) -> str:
    """Return a docstring; empty where there is none."""
    return thing.docstring.value if thing.docstring else ""


def _own(module: griffe.Module) -> bool:
    return any(
        not (member.is_alias or member.is_module or name.startswith("_")) for name, member in module.members.items()
    )


def _modules(module: griffe.Module) -> Iterator[griffe.Module]:
    yield module
    for _, part in sorted(module.modules.items()):
        if not part.is_alias:
            yield from _modules(part)
