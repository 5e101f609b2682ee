"""Layers of a code by name and number: which of its styles an edit changes."""

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor

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


def layer_mask(layers: tuple[int, ...], num_ws: int) -> Tensor:
    """Build a mask, (num_ws, 1), that is 1 for the given layers and 0 for the others."""
    mask = torch.zeros(num_ws, 1)
    mask[list(layers)] = 1
    return mask


def layer_weights(text: str, num_ws: int) -> Tensor:
    """Parse weights of layers, (num_ws, 1); layers that are not named get 0.

    Args:
        text: Layers as for `parse_layers`, each with a weight or else with 1: "coarse,middle=0.5,12=0.2". Later ones
            win.
        num_ws: Styles of the generator.

    Raises:
        UserError: There is no such name or layer, or a weight is no number.
    """
    weights = torch.zeros(num_ws, 1)
    for part in text.split(","):
        layers, given, number = part.partition("=")
        try:
            weight = float(number) if given else 1.0
        except ValueError:
            weight = math.nan
        if not math.isfinite(weight):
            raise UserError(f"layers {part!r}: a weight is a number, such as middle=0.5")
        weights[list(parse_layers(layers, num_ws))] = weight
    return weights


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
