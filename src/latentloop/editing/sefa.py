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


@dataclass(frozen=True)
class Factors:
    """What changes a generator's scales most."""

    axes: Tensor
    """Orthonormal, those that change the most first, (K, w_dim), float64; the largest number of each is positive."""
    eigenvalues: Tensor
    """(K,): the sum of squares that one step changes of all scales, each of a map of unit length."""


def factorize(weights: Sequence[Tensor], count: int) -> Factors:
    """Eigenvectors of A^T A, where A has all rows of the maps from a style, each brought to unit length.

    The paper's closed form (section 2.2) with the unit length of its released code, so that a layer whose weights are
    large counts no more than another.

    Args:
        weights: Of the maps, each (C, w_dim).
        count: How many; of w_dim at most.
    """
    rows = torch.cat(list(weights)).double().cpu()
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
    values, vectors = torch.linalg.eigh(rows.T @ rows)  # in ascending order
    axes = vectors.T.flip(0)[:count]
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    return Factors(axes * largest.sign(), values.flip(0)[:count])


def sefa_directions(generator: Generator, w: Tensor, count: int, layers: tuple[int, ...]) -> list[Direction]:
    """Directions sefa0, sefa1 ..., those that change the most first.

    Args:
        generator: Whose weights.
        w: Samples of its W, (N, w_dim), which alone decide how far strength 1 goes: their standard deviation along
            each direction. The paper's step is of length 1.
        count: How many.
        layers: Whose weights, and which the directions change; see `parse_layers`.

    Raises:
        UserError: The generator does not tell its weights.
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
