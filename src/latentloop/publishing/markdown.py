"""Markdown in which text of files cannot become links, tables, HTML or code."""

import re

SPECIAL = re.compile(r"([\\`*_\[\]<>|~#!&$])")
"""Characters that mean something within a line of Markdown."""


def plain(text: str) -> str:
    """Escape text so that Markdown shows it as it is.

    Args:
        text: One line.
    """
    return SPECIAL.sub(r"\\\1", text)


def code(text: str) -> str:
    """Format text as inline code, whatever backticks it has; not for tables, where a bar ends the cell even in code.

    Args:
        text: One line.
    """
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if text[:1] in ("`", " ") or text[-1:] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def code_in_table(text: str) -> str:
    """Format text as inline code in a cell of a table.

    Args:
        text: One line.
    """
    return code(text).replace("|", r"\|")
