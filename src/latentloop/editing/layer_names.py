"""Names and numbers of the layers of a code, by which an edit selects the styles it changes."""

import re
from collections.abc import Mapping

from latentloop.errors import UserError

NAMES: Mapping[str, tuple[int, int | None]] = {"all": (0, None), "coarse": (0, 4), "middle": (4, 8), "fine": (8, None)}
"""First style and end of each named range. Coarse styles act at 4 to 8 pixels, middle ones at 16 to 32, fine ones
above, as in StyleGAN's style mixing (Karras et al., arXiv:1812.04948, section 3.1)."""
RANGE = re.compile(r"(\d+)(?:-(\d+))?")
"""Pattern of a layer such as "3", or a range such as "0-7"."""


def parse_layers(text: str, num_ws: int) -> tuple[int, ...]:
    """Parse a description of layers, to numbers in ascending order without repetition.

    Args:
        text: Names, numbers and inclusive ranges, separated by commas: "coarse", "0-3", "middle,12".
        num_ws: Number of the generator's styles; layers count from 0.

    Raises:
        UserError: A name or layer does not exist.
        ValueError: `text` is not a text.
    """
    if not isinstance(text, str):
        raise ValueError(f"layers must be a text such as coarse or 0-3, got {text!r:.100}")
    layers: set[int] = set()
    for part in text.split(","):
        layers |= set(_part(part.strip(), num_ws))
    return tuple(sorted(layers))


def describe_layers(layers: tuple[int, ...]) -> str:
    """Format layers in ascending order as the shortest text that `parse_layers` reads."""
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
