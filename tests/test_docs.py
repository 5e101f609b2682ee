"""The documentation names only modules, objects and files that exist."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DOTTED = re.compile(r"latentloop(?:\.\w+)+")
FILE = re.compile(r"(?:[\w-]+/)+[\w-]+\.py")
PLACEHOLDER = "NAME"
PLACES = [ROOT, ROOT / "src", ROOT / "src" / "latentloop"]


def quoted(page: Path) -> list[str]:
    """The texts in single backquotes, outside code blocks."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose)


def exists(dotted: str) -> bool:
    """Return whether a name leads from a module to a module, or to an object in it."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_exist(page: Path) -> None:
    names = {name for text in quoted(page) for name in DOTTED.findall(text)}
    assert [name for name in sorted(names) if not exists(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_exist(page: Path) -> None:
    files = {text for text in quoted(page) if FILE.fullmatch(text) and PLACEHOLDER not in text}
    assert [file for file in sorted(files) if not any((place / file).is_file() for place in PLACES)] == []
