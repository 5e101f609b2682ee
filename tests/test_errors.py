import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import latentloop
from latentloop.errors import UserError, in_one_line, is_out_of_memory

SOURCE = Path(latentloop.__file__).parent
FLAG = re.compile(r"(?<![\w-])--[a-z]")


def test_an_error_within_something_larger_keeps_the_arguments_it_names() -> None:
    error = UserError("more than\n9 pixels", arguments="max_pixels").within(Path("a.png"))
    assert str(error) == "a.png: more than 9 pixels"
    assert error.arguments == ("max_pixels",)


def test_several_arguments_can_be_named() -> None:
    assert UserError("too much", arguments=["steps", "lr"]).arguments == ("steps", "lr")


def test_a_missing_key_is_said_to_be_missing() -> None:
    assert in_one_line(KeyError("w_plus")) == "w_plus is missing"


def raised_texts(tree: ast.AST) -> Iterator[ast.Constant]:
    """The texts within `raise` statements and calls of errors, also the parts of f-strings."""
    for node in ast.walk(tree):
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if isinstance(node, ast.Raise) or name.endswith("Error"):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part


def flags_in(path: Path) -> list[str]:
    """Where the errors of a source file name a flag."""
    texts = raised_texts(ast.parse(path.read_text(encoding="utf-8")))
    return sorted({f"{path.relative_to(SOURCE)}:{text.lineno}" for text in texts if FLAG.search(str(text.value))})


def test_the_library_names_no_flags_in_its_errors() -> None:
    paths = [path for path in SOURCE.rglob("*.py") if path.relative_to(SOURCE).parts[0] != "cli"]
    assert [place for path in paths for place in flags_in(path)] == []


def test_a_flag_in_an_error_is_seen() -> None:
    code = 'def f(name):\n    if name:\n        raise UserError(f"{name}: too large; see --max-pixels")\n'
    assert [text.value for text in raised_texts(ast.parse(code)) if FLAG.search(str(text.value))] != []


def test_a_message_is_one_short_printable_line() -> None:
    message = str(UserError("caf\udce9.jpg\n\x1b[31m" + "x" * 9000))
    assert message.startswith(r"caf\udce9.jpg \x1b[31mx")
    assert message.isprintable()
    assert len(message) <= 1000


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("could not create a primitive"),  # what a convolution says under ulimit -v
        RuntimeError("can't start new thread"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
        OSError("Cannot allocate memory"),
    ],
)
def test_memory_that_ran_out_is_known_by_what_libraries_say(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_out_of_memory(type(error)("else")) or isinstance(error, MemoryError)
