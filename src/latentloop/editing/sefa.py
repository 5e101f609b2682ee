"""SeFa: directions in closed form, from a generator's weights (Shen & Zhou, arXiv:2007.06600)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.editing.directions import Direction
from latentloop.editing.strength import make_direction, spread
from latentloop.errors import UserError
from latentloop.generators import Generator, affine_weights

ORIGIN = "SeFa (Shen & Zhou, arXiv:2007.06600)"
"""Origin that these directions are saved with."""


@dataclass(frozen=True)
class Factors:
    """Directions of W that change a generator's style scales most."""

    axes: Tensor
    """Orthonormal axes, (K, w_dim), float64; the entry of largest magnitude of each is positive."""
    eigenvalues: Tensor
    """Eigenvalues, descending, (K,): sums of squares by which a step of length 1 changes the normalised scales."""


def factorize(weights: Sequence[Tensor], count: int) -> Factors:
    """Compute the leading eigenvectors of A^T A; A stacks the rows of the style affines, each scaled to unit length.

    This is the paper's closed form (section 2.2) with the unit length of its released code, so that layers with large
    weights do not count for more.

    Args:
        weights: Weights of the affine maps from a style, each (C, w_dim).
        count: Number of eigenvectors; at most w_dim.
    """
    rows = torch.cat(list(weights)).double().cpu()
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
    values, vectors = torch.linalg.eigh(rows.T @ rows)  # in ascending order
    axes = vectors.T.flip(0)[:count]
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    return Factors(axes * largest.sign(), values.flip(0)[:count])


def sefa_directions(generator: Generator, w: Tensor, count: int, layers: tuple[int, ...]) -> list[Direction]:
    """Find SeFa's directions sefa0, sefa1 ..., those that change the image's style scales most first.

    Args:
        generator: Generator whose weights are factorized.
        w: Samples of its W, (N, w_dim). They only set the unit: strength 1 is their standard deviation along each
            direction, where the paper's step has length 1.
        count: Number of directions.
        layers: Layers whose weights are used, and which the directions change, see `parse_layers`.

    Raises:
        UserError: The generator does not give access to its weights.
    """
    weights = affine_weights(generator)
    if weights is None:
        raise UserError(
            f"{generator.name}: does not give access to the weights that SeFa needs; GANSpace needs none",
            arguments="method",
        )
    factors = factorize([weights[layer].detach() for layer in layers], count)
    steps = spread(w, factors.axes)
    return [
        make_direction(
            generator, f"sefa{i}", axis, float(step), layers, origin=ORIGIN, measured={"eigenvalue": float(value)}
        )
        for i, (axis, step, value) in enumerate(zip(factors.axes, steps, factors.eigenvalues, strict=True))
    ]
