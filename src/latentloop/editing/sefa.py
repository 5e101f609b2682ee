"""SeFa: closed-form directions from a generator's weights (Shen & Zhou, arXiv:2007.06600)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.editing.directions import Direction
from latentloop.editing.strength import make_direction, spread
from latentloop.errors import UserError
from latentloop.generators import Generator, affine_weights

ORIGIN = "SeFa (Shen & Zhou, arXiv:2007.06600)"
"""Origin that is stored with these directions."""


@dataclass(frozen=True)
class Factors:
    """Directions of W that change a generator's channel scales most."""

    axes: Tensor
    """Orthonormal axes, (K, w_dim), float64; the entry of largest magnitude of each is positive."""
    eigenvalues: Tensor
    """Eigenvalues in descending order, (K,): squared change of the normalised scales by a step of length 1."""


def factorize(weights: Sequence[Tensor], count: int) -> Factors:
    """Compute the leading eigenvectors of A^T A, where A stacks the unit-length rows of the styles' affine maps.

    This is the paper's closed form (section 2.2) with the normalisation of its released code, by which layers with
    large weights do not count more.

    Args:
        weights: Weights of the affine maps of styles, each (C, w_dim).
        count: Number of eigenvectors; at most w_dim.
    """
    rows = torch.cat(list(weights)).double().cpu()
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
    values, vectors = torch.linalg.eigh(rows.T @ rows)  # in ascending order
    axes = vectors.T.flip(0)[:count]
    # Eigenvectors are unique up to their sign, which differs between LAPACK builds: fix it.
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    return Factors(axes * largest.sign(), values.flip(0)[:count])


def sefa_directions(generator: Generator, w: Tensor, count: int, layers: tuple[int, ...]) -> list[Direction]:
    """Find SeFa's directions sefa0, sefa1 ..., those with the largest change of channel scales first.

    Args:
        generator: Generator whose weights are factorised.
        w: Samples of its W, (N, w_dim). They only set the unit: strength 1 is their standard deviation along each
            direction, while the paper's step has length 1.
        count: Number of directions.
        layers: Layers whose weights are used, and which the directions change, see `parse_layers`.

    Raises:
        UserError: The generator does not expose its affine maps.
    """
    weights = affine_weights(generator)
    if weights is None:
        raise UserError(
            f"{generator.name}: does not expose the weights that SeFa needs; use GANSpace instead",
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
