"""Folding of learning-rate gains into the weights, for the readers of all architectures."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

Tensors = Mapping[str, Tensor]
Settings = Mapping[str, Any]
Converted = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors under our names, and the settings that cannot be read off them."""

LR_MULTIPLIER = 0.01
"""Default learning-rate multiplier of the mapping network."""
MAX_RESOLUTION = 4096
"""Largest resolution that is read, in pixels: a file of a few bytes may claim any number of blocks and noise maps."""


def count_layers(tensors: Tensors, beginning: str) -> int:
    """Count the numbered layers 0, 1, 2 ... whose names have this beginning.

    Raises:
        LookupError: None, or not all up to the largest.
    """
    numbers = {name.removeprefix(beginning).partition(".")[0] for name in tensors if name.startswith(beginning)}
    if not numbers or numbers != {str(i) for i in range(len(numbers))}:
        raise LookupError(f"{beginning}: layers {', '.join(sorted(numbers)) or 'missing'}")
    return len(numbers)


def folded_linear(tensors: Tensors, theirs: str, ours: str, lr_multiplier: float = 1.0) -> dict[str, Tensor]:
    """Fold the gains of a fully connected layer, weight (out, in) and bias (out,), and give it its new name."""
    weight, bias = tensors[f"{theirs}.weight"], tensors[f"{theirs}.bias"]
    gain = lr_multiplier / math.sqrt(weight.shape[1])
    return {f"{ours}.weight": weight * gain, f"{ours}.bias": bias * lr_multiplier}


def three_colours(weight: Tensor, bias: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Repeat weight (1, ...) and bias (1,) of a layer that draws grey images for three colours; keep those of colours.

    Raises:
        ValueError: It draws something else.
    """
    if len(weight) == 1:
        weight, bias = weight.expand(3, *weight.shape[1:]), bias.expand(3)
    if len(weight) != 3:
        raise ValueError(f"{name}: draws {len(weight)} colours, not 3")
    return weight, bias


def noise_map(layer: int, size: int) -> Tensor:
    """Make a noise map (size, size) for a layer whose file has none; the same each time."""
    return torch.randn(size, size, generator=torch.Generator().manual_seed(layer))
