"""Folding of equalised learning rates into the weights, for the readers of all architectures.

Networks with equalised learning rates (Karras et al., arXiv:1710.10196) store weights of unit variance and multiply
them by 1 / sqrt(fan-in) whenever they are used. Frozen networks do not need that, so it is done once, on reading.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

Tensors = Mapping[str, Tensor]
Settings = Mapping[str, Any]
Converted = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors under our names, and the settings that do not follow from their shapes."""

LR_MULTIPLIER = 0.01
"""Learning-rate multiplier of the mapping network in StyleGAN 1, 2 and 3, unless the settings say otherwise."""
MAX_RESOLUTION = 4096
"""Largest resolution that is read, in pixels: a tiny damaged file could otherwise ask for gigabytes of noise maps."""


def count_layers(tensors: Tensors, beginning: str) -> int:
    """Count the layers 0, 1, 2 ... whose names begin with `beginning` and their number.

    Raises:
        LookupError: There are none, or a number is missing.
    """
    numbers = {name.removeprefix(beginning).partition(".")[0] for name in tensors if name.startswith(beginning)}
    if not numbers or numbers != {str(i) for i in range(len(numbers))}:
        raise LookupError(f"{beginning}: layers {', '.join(sorted(numbers)) or 'missing'}")
    return len(numbers)


def folded_linear(tensors: Tensors, theirs: str, ours: str, lr_multiplier: float = 1.0) -> dict[str, Tensor]:
    """Fold the learning-rate gains of a fully connected layer, weight (out, in) and bias (out,), and rename it."""
    weight, bias = tensors[f"{theirs}.weight"], tensors[f"{theirs}.bias"]
    # Weights get the multiplier and 1 / sqrt(fan-in), biases the multiplier alone.
    gain = lr_multiplier / math.sqrt(weight.shape[1])
    return {f"{ours}.weight": weight * gain, f"{ours}.bias": bias * lr_multiplier}


def three_colours(weight: Tensor, bias: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Repeat a grey layer's weight (1, ...) and bias (1,) for three colours; those of an RGB layer are unchanged.

    Raises:
        ValueError: The layer has neither 1 nor 3 colours.
    """
    if len(weight) == 1:
        weight, bias = weight.expand(3, *weight.shape[1:]), bias.expand(3)
    if len(weight) != 3:
        raise ValueError(f"{name}: must draw 3 colours or 1, draws {len(weight)}")
    return weight, bias


def noise_map(layer: int, size: int) -> Tensor:
    """Make the noise map (size, size) of a layer that has none in its file; seeded by the layer's number."""
    return torch.randn(size, size, generator=torch.Generator().manual_seed(layer))
