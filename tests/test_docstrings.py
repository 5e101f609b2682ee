"""Each docstring's first line stands alone, as a tooltip or an API page shows it without the name above."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import latentloop

SOURCE = Path(latentloop.__file__).parent
FRAGMENT = re.compile(r"(Of|What|Whose|The same)\b")
"""Beginning of a line that only completes a name."""
SHORT = 20
"""Length in characters below which a line must be a sentence."""
WORDS = 3
"""Words that a short sentence has at least: verb, article and object."""


class Docstring(NamedTuple):
    """The first line of a docstring, and where it stands."""

    name: str
    line: int
    first: str


def text_of(node: ast.stmt | None) -> str | None:
    """Return the text of a statement that is nothing but a string."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value.strip()
    return None


def is_public(name: str) -> bool:
    """Tell whether a name is public, or a method that Python calls."""
    return not name.startswith("_") or (name.startswith("__") and name.endswith("__"))


def attribute_in(node: ast.stmt) -> str | None:
    """Return the name that a statement assigns, such as `steps` or `SIDE, QUALITY`; None if it is private."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        name = ast.unparse(target).strip("()")
        return name if is_public(name) else None
    return None


def docstrings(node: ast.Module | ast.ClassDef, name: str = "module") -> Iterator[Docstring]:
    """Yield the docstrings of a module or class, of all public definitions in it, and of its attributes."""
    if text := text_of(node.body[0] if node.body else None):
        yield Docstring(name, node.body[0].lineno, text.splitlines()[0])
    for one, after in zip(node.body, [*node.body[1:], None], strict=True):
        attribute, text = attribute_in(one), text_of(after)
        if attribute and text and after:
            yield Docstring(attribute, after.lineno, text.splitlines()[0])
        if isinstance(one, ast.ClassDef) and is_public(one.name):
            yield from docstrings(one, one.name)
        if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) or not is_public(one.name):
            continue
        if text := text_of(one.body[0]):
            yield Docstring(one.name, one.body[0].lineno, text.splitlines()[0])


def is_sentence(line: str) -> bool:
    """Tell whether a short line is a sentence: three words or more, from a capital letter to a full stop."""
    return len(line.split()) >= WORDS and line[0].isupper() and line.endswith(".")


def stands_alone(line: str) -> bool:
    """Tell whether a first line can be understood without the name that it describes."""
    return not FRAGMENT.match(line) and (len(line) >= SHORT or is_sentence(line))


def place_of(path: Path) -> str:
    """Return the package or module at the top that a file belongs to."""
    return Path(path.relative_to(SOURCE).parts[0]).stem


def fragments_in(path: Path) -> list[str]:
    """List the docstrings of a file whose first lines do not stand alone."""
    found = docstrings(ast.parse(path.read_text(encoding="utf-8")))
    return [
        f"{path.relative_to(SOURCE)}:{one.line}: {one.name}: {one.first}"
        for one in found
        if not stands_alone(one.first)
    ]


PATHS = [path for path in sorted(SOURCE.rglob("*.py")) if path.name != "__main__.py"]


@pytest.mark.parametrize("place", sorted({place_of(path) for path in PATHS}))
def test_first_lines_of_docstrings_stand_alone(place: str) -> None:
    paths = [path for path in PATHS if place_of(path) == place]
    assert [line for path in paths for line in fragments_in(path)] == []


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("Of drawing.", False),
        ("Of everything random that a run does.", False),
        ("What the network alone found in a photo.", False),
        ("Whose images are compared in the loss.", False),
        ("The same, of a value.", False),
        ("Random seed.", False),
        ("a code of W+", False),
        ("Draw a random face.", True),
        ("Office hours of the project, in UTC.", True),
        ("Whatever a request names is refused.", True),
    ],
)
def test_a_fragment_is_seen(line: str, *, good: bool) -> None:
    assert stands_alone(line) is good


def test_docstrings_of_all_kinds_are_found() -> None:
    code = '''
"""Module."""
A, B = 1, 2
"""Attribute."""
_C = 3
"""Private."""
class D:
    """Class."""
    e: int
    """Field."""
    def f(self):
        """Method."""
    def _g(self):
        """Private."""
    def __call__(self):
        """Call."""
def h():
    """Function."""
class _I:
    """Private."""
'''
    firsts = [one.first for one in docstrings(ast.parse(code))]
    assert firsts == ["Module.", "Attribute.", "Class.", "Field.", "Method.", "Call.", "Function."]
