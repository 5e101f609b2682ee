"""Layers of a code as masks and weights; `layer_names` reads and writes how people name them."""

import math

import torch
from torch import Tensor

from latentloop.editing.layer_names import NAMES as NAMES
from latentloop.editing.layer_names import describe_layers as describe_layers
from latentloop.editing.layer_names import parse_layers as parse_layers
from latentloop.errors import UserError


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
