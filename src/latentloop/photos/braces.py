"""Brace expansion as in a shell, by which the shards of a WebDataset are named."""

import os
import re

from latentloop.errors import UserError

BRACES = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{},]*(?:,[^{},]*)+))\}")
"""Pattern of a range of numbers, "{00..15}", or a list, "{a,b}"."""
MOST = 1_000_000
"""Largest number of arguments that braces may expand to."""


def expand_braces(argument: str) -> list[str]:
    """Expand the braces in an argument as a shell does: `{00..15}` to 16 numbers, `{a,b}` to two texts.

    An argument without braces, or one that names an existing file, is returned as it is.

    Raises:
        UserError: The argument expands to more than a million names.
    """
    found = BRACES.search(argument)
    if not found or os.path.lexists(argument):
        return [argument]
    first, last, texts = found.groups()
    if texts is None and abs(int(last) - int(first)) >= MOST:
        raise UserError(f"{argument}: stands for more than a million names")
    before, after = argument[: found.start()], expand_braces(argument[found.end() :])
    inside = texts.split(",") if texts is not None else _numbers(first, last)
    if len(inside) * len(after) > MOST:
        raise UserError(f"{argument}: stands for more than a million names")
    return [f"{before}{one}{rest}" for one in inside for rest in after]


def _numbers(first: str, last: str) -> list[str]:
    """Numbers from first to last; if one has leading zeros, all are padded to the wider one."""
    zeros = any(len(one) > 1 and one.startswith("0") for one in (first, last))
    width, step = max(len(first), len(last)) if zeros else 0, 1 if int(first) <= int(last) else -1
    return [f"{number:0{width}}" for number in range(int(first), int(last) + step, step)]
