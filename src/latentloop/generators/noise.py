"""Noise maps, which StyleGAN 1 and 2 add to their features independently of the code."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from latentloop.defaults import NoiseMode

Noise = NoiseMode | Sequence[Tensor]
"""Choice of noise: a mode, or maps (N or 1, 1, H, W), one per layer."""
Maps = Sequence[Tensor | None]
"""Noise maps of all layers, (N or 1, 1, H, W); None in a layer without noise."""


def noise_maps(
    noise: Noise, stored: Sequence[Tensor], *, batch: int, randomness: torch.Generator | None
) -> list[Tensor | None]:
    """Return each layer's noise map, (batch or 1, 1, H, W), or None for no noise.

    Args:
        noise: "const" for the stored maps, "random" for new ones, "none", or the maps themselves.
        stored: The network's stored maps, each (H, W).
        batch: Number of images; each gets its own random maps.
        randomness: CPU generator of random maps, so that a seed gives the same maps on every device; None for PyTorch's
            global generator.

    Raises:
        ValueError: Unknown mode, or maps of other shapes.
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
    """Noise maps given by the caller, checked to be tensors."""
    maps: list[Any] = list(noise) if isinstance(noise, Sequence) else [noise]
    if not all(isinstance(one, Tensor) for one in maps):
        raise ValueError(f"noise must be const, random, none or a sequence of maps, got {noise!r}")
    return maps
