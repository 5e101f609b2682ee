"""Help texts of options, read from the docstrings of a command's fields."""

import inspect
from dataclasses import fields, is_dataclass
from functools import cache

import docstring_parser
from tyro import _docstrings  # private: pyproject.toml holds tyro to a release that has it

OFF = "Turns this off: "
"""Beginning of the help text of `--no-x`, followed by the text of the field x."""


@cache
def field_texts(part: type) -> dict[str, str]:
    """Read the help texts of a dataclass's fields from the docstrings below them.

    A text is one line for each paragraph: tyro breaks a line wherever the docstring is continued on an indented one.

    Args:
        part: Class of a command, or of a group of its options.

    Returns:
        Texts by name of the field; for a switch that is on by default, the text of its `--no-x`.
    """
    on = {field.name for field in fields(part) if field.default is True} if is_dataclass(part) else set()
    texts = {doc.arg_name: doc.description for doc in docstring_parser.parse_from_object(part).params}
    return {name: (OFF if name in on else "") + _joined(text) for name, text in texts.items() if text is not None}


def install() -> None:
    """Let tyro read help texts by `field_texts`."""
    _docstrings.parse_docstring_from_object = field_texts


def _joined(text: str) -> str:
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
