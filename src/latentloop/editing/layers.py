"""Masks and weights of a code's layers; `layer_names` parses their names."""

import math

import torch
from torch import Tensor

from latentloop.editing.layer_names import NAMES as NAMES
from latentloop.editing.layer_names import describe_layers as describe_layers
from latentloop.editing.layer_names import parse_layers as parse_layers
from latentloop.errors import UserError


def layer_mask(layers: tuple[int, ...], num_ws: int) -> Tensor:
    """Return a mask, (num_ws, 1), that is 1 for the given layers and 0 for the others."""
    mask = torch.zeros(num_ws, 1)
    mask[list(layers)] = 1
    return mask


def layer_weights(text: str, num_ws: int) -> Tensor:
    """Parse weights of layers, (num_ws, 1); layers that are not named get 0.

    Args:
        text: Layers as for `parse_layers`, each with an optional weight (default 1): "coarse,middle=0.5,12=0.2". Later
            entries override earlier ones.
        num_ws: Number of the generator's styles.

    Raises:
        UserError: A name or layer does not exist, or a weight is not a number.
    """
    weights = torch.zeros(num_ws, 1)
    for part in text.split(","):
        layers, given, number = part.partition("=")
        try:
            weight = float(number) if given else 1.0
        except ValueError:
            weight = math.nan
        if not math.isfinite(weight):
            raise UserError(f"layers {part!r}: a weight must be a number, such as middle=0.5")
        weights[list(parse_layers(layers, num_ws))] = weight  # (num_ws, 1)
    return weights
