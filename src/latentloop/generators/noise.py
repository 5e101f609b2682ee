"""Noise maps, which a generator adds to its features independently of the code."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from latentloop.defaults import NoiseMode

Noise = NoiseMode | Sequence[Tensor]
"""Noise to draw with: the stored maps, new random ones, none, or given maps (N or 1, 1, H, W), one per layer."""
Maps = Sequence[Tensor | None]
"""Noise maps of all layers, (N or 1, 1, H, W); None for no noise."""


def noise_maps(
    noise: Noise, stored: Sequence[Tensor], *, batch: int, randomness: torch.Generator | None
) -> list[Tensor | None]:
    """Give each layer's noise map, (batch or 1, 1, H, W); None stands for no noise.

    Args:
        noise: The choice of maps.
        stored: The network's stored maps, each (H, W).
        batch: Number of images, each of which gets random maps of its own.
        randomness: Generator of random maps, on the CPU, so that a seed means the same on every device; None for
            PyTorch's own.

    Raises:
        ValueError: The noise is no mode, or the maps have other shapes.
    """
    if noise == "none":
        return [None] * len(stored)
    if noise == "const":
        return [one[None, None] for one in stored]
    if noise == "random":
        return [torch.randn(batch, 1, *one.shape, generator=randomness).to(one) for one in stored]
    wanted, got = [tuple(one.shape) for one in stored], [tuple(one.shape) for one in _maps(noise)]
    if len(got) != len(wanted) or any(g not in ((batch, 1, *w), (1, 1, *w)) for g, w in zip(got, wanted, strict=True)):
        raise ValueError(f"noise must be maps ({batch} or 1, 1, H, W) with (H, W) of {wanted}, got {got}")
    return list(noise)


def _maps(noise: object) -> list[Tensor]:
    """What is no mode, if it is maps."""
    maps: list[Any] = list(noise) if isinstance(noise, Sequence) else [noise]
    if not all(isinstance(one, Tensor) for one in maps):
        raise ValueError(f"noise must be const, random, none or maps, got {noise!r}")
    return maps
