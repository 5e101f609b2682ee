"""GANSpace: directions in which W varies most (Härkönen et al., arXiv:2004.02546)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.editing.directions import Direction
from latentloop.editing.strength import make_direction
from latentloop.extras import load_extra
from latentloop.generators import Generator

ORIGIN = "GANSpace (Härkönen et al., arXiv:2004.02546)"


@dataclass(frozen=True)
class Components:
    """Principal components."""

    axes: Tensor
    """Orthonormal, those of the largest variance first, (K, w_dim)."""
    deviations: Tensor
    """Standard deviations along them, (K,)."""
    shares: Tensor
    """Of all variance, (K,)."""


def principal_components(w: Tensor, count: int) -> Components:
    """The principal components of styles (N, w_dim), by scikit-learn.

    Args:
        w: Samples of W.
        count: How many; less than N, and w_dim at most.

    Raises:
        UserError: scikit-learn is not installed.
    """
    load_extra("sklearn", "this needs scikit-learn", "scikit-learn")
    from sklearn.decomposition import PCA

    pca = PCA(count, svd_solver="covariance_eigh").fit(w.double().cpu().numpy())
    shares = torch.from_numpy(pca.explained_variance_ratio_)
    return Components(torch.from_numpy(pca.components_), torch.from_numpy(pca.explained_variance_).sqrt(), shares)


def ganspace_directions(generator: Generator, w: Tensor, count: int, layers: tuple[int, ...]) -> list[Direction]:
    """Directions pc0, pc1 ..., those of the largest variance first; strength 1 is one standard deviation.

    Args:
        generator: Whose W it is.
        w: Samples, (N, w_dim).
        count: How many.
        layers: Which the directions change; see `parse_layers`. They are found of W, so from no layers in particular.

    Raises:
        UserError: scikit-learn is not installed.
    """
    parts, directions = principal_components(w, count), []
    for i, (axis, deviation) in enumerate(zip(parts.axes, parts.deviations.tolist(), strict=True)):
        measured = {"share of variance": float(parts.shares[i]), "samples": len(w)}
        directions.append(
            make_direction(generator, f"pc{i}", axis, deviation, layers, origin=ORIGIN, measured=measured)
        )
    return directions
