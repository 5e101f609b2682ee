"""What the ways to find directions have in common: the unit of strength."""

import torch
from torch import Tensor

from latentloop.editing.directions import Direction
from latentloop.generators import Generator

UNIT = "a standard deviation of W"
"""What strength 1 is in every direction found here, so that one strength means much the same in all."""
LICENCE = "as the generator's"


def spread(w: Tensor, axes: Tensor) -> Tensor:
    """Standard deviations of styles (N, w_dim) along unit axes (K, w_dim), (K,)."""
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
    """A direction that was found with a generator.

    Args:
        generator: Whose.
        name: Of it.
        axis: Of unit length, (w_dim,).
        deviation: Of W along it: what strength 1 goes.
        layers: Which it changes.
        origin: How it was found.
        measured: More to tell.
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
