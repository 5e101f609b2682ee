"""Layers of a code by name and number: which of its styles an edit changes."""

import re
from collections.abc import Mapping

from latentloop.errors import UserError

NAMES: Mapping[str, tuple[int, int | None]] = {"all": (0, None), "coarse": (0, 4), "middle": (4, 8), "fine": (8, None)}
"""First style and end of each named range. Coarse styles act at 4 to 8 pixels, middle ones at 16 to 32, fine ones
above: the ranges of style mixing in StyleGAN (Karras et al., arXiv:1812.04948, section 3.1)."""
RANGE = re.compile(r"(\d+)(?:-(\d+))?")
"""A layer such as "3", or a range such as "0-7"."""


def parse_layers(text: str, num_ws: int) -> tuple[int, ...]:
    """Parse a description of layers, in ascending order without repetition.

    Args:
        text: Names, numbers and ranges with both ends, separated by commas: "coarse", "0-3", "middle,12".
        num_ws: Styles of the generator; layers count from 0.

    Raises:
        UserError: There is no such name or layer.
        ValueError: It is no text.
    """
    if not isinstance(text, str):
        raise ValueError(f"layers must be a text such as coarse or 0-3, got {text!r:.100}")
    layers: set[int] = set()
    for part in text.split(","):
        layers |= set(_part(part.strip(), num_ws))
    return tuple(sorted(layers))


def describe_layers(layers: tuple[int, ...]) -> str:
    """Format layers, in ascending order, in as few ranges as possible, as `parse_layers` reads them."""
    ranges: list[list[int]] = []
    for layer in layers:
        if ranges and ranges[-1][1] == layer - 1:
            ranges[-1][1] = layer
        else:
            ranges.append([layer, layer])
    return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in ranges)


def _part(part: str, num_ws: int) -> range:
    if part in NAMES:
        first, end = NAMES[part]
        found = range(first, num_ws if end is None else min(end, num_ws))
    elif match := RANGE.fullmatch(part):
        found = range(int(match[1]), int(match[2] or match[1]) + 1)
    else:
        raise UserError(f"layers {part!r}: neither {', '.join(NAMES)} nor numbers such as 3 or 0-7")
    if not found or found[-1] >= num_ws:
        raise UserError(f"layers {part!r}: this generator has the layers 0 to {num_ws - 1}")
    return found
