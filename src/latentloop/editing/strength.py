"""The common unit of strength of all computed directions: a standard deviation of W."""

import torch
from torch import Tensor

from latentloop.editing.directions import Direction
from latentloop.generators import Generator

UNIT = "a standard deviation of W"
"""Unit of strength of all computed directions, by which equal strengths have similar effects."""
LICENCE = "as the generator's"
"""Licence of computed directions."""


def spread(w: Tensor, axes: Tensor) -> Tensor:
    """Compute the standard deviations, (K,), of styles (N, w_dim) along unit axes (K, w_dim)."""
    return (w.to(axes) @ axes.T).std(dim=0)


def make_direction(
    generator: Generator,
    name: str,
    axis: Tensor,
    deviation: float,
    layers: tuple[int, ...],
    *,
    origin: str,
    measured: dict[str, float],
) -> Direction:
    """Build a direction from a unit axis of W; strength 1 is one standard deviation along it.

    Args:
        generator: Generator with which the direction was found.
        name: Name of the direction.
        axis: Unit vector, (w_dim,).
        deviation: Standard deviation of W along the axis.
        layers: Layers that the direction changes.
        origin: Method that found the direction, with its source.
        measured: Further measurements to store with the direction.
    """
    return Direction(
        name,
        (deviation * axis).to("cpu", torch.float32),
        layers,
        generator.num_ws,
        fingerprint=generator.fingerprint,
        generator=generator.name,
        licence=LICENCE,
        origin=origin,
        about={"unit": UNIT, "std": deviation, **measured},
    )
