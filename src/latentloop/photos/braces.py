"""Arguments that braces stand for, as in a shell: the shards of WebDataset are named so."""

import os
import re

from latentloop.errors import UserError

BRACES = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{},]*(?:,[^{},]*)+))\}")
"""A range of numbers in braces, "{00..15}", or a list, "{a,b}"."""
MOST = 1_000_000
"""Most arguments that braces stand for."""


def expand_braces(argument: str) -> list[str]:
    """List what an argument with braces stands for, as in a shell: `{00..15}` for 16 numbers, `{a,b}` for two texts.

    What has no such braces, or is there under its very name, stands for itself.

    Raises:
        UserError: It would be more than a million.
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
    """Numbers from one to another, as wide as the wider one if one begins with 0."""
    zeros = any(len(one) > 1 and one.startswith("0") for one in (first, last))
    width, step = max(len(first), len(last)) if zeros else 0, 1 if int(first) <= int(last) else -1
    return [f"{number:0{width}}" for number in range(int(first), int(last) + step, step)]
