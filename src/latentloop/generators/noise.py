"""Noise maps: what a generator adds to its features besides what the code says."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from latentloop.defaults import NoiseMode

Noise = NoiseMode | Sequence[Tensor]
"""The maps that a network stores, new ones, none; or these, (N or 1, 1, H, W), one for each layer."""


def noise_maps(
    noise: Noise, stored: Sequence[Tensor], *, batch: int, randomness: torch.Generator | None
) -> list[Tensor | None]:
    """Each layer's map, (batch or 1, 1, H, W), or None for none.

    Args:
        noise: Which.
        stored: The network's own, each (H, W).
        batch: Images, of which each gets random maps of its own.
        randomness: Of random maps, on the CPU, so that a seed means the same on every device; None for PyTorch's own.

    Raises:
        ValueError: Not a mode, or maps of other shapes.
    """
    if noise == "none":
        return [None] * len(stored)
    if noise == "const":
        return [own[None, None] for own in stored]
    if noise == "random":
        return [torch.randn(batch, 1, *own.shape, generator=randomness).to(own) for own in stored]
    wanted, got = [tuple(own.shape) for own in stored], [tuple(one.shape) for one in _maps(noise)]
    if len(got) != len(wanted) or any(g not in ((batch, 1, *w), (1, 1, *w)) for g, w in zip(got, wanted, strict=True)):
        raise ValueError(f"noise must be maps ({batch} or 1, 1, H, W) with (H, W) of {wanted}, got {got}")
    return list(noise)


def _maps(noise: object) -> list[Tensor]:
    """What is no mode, if it is maps."""
    maps: list[Any] = list(noise) if isinstance(noise, Sequence) else [noise]
    if not all(isinstance(one, Tensor) for one in maps):
        raise ValueError(f"noise must be const, random, none or maps, got {noise!r}")
    return maps
