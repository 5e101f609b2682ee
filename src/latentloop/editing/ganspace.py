"""GANSpace: directions of largest variance in W (Härkönen et al., arXiv:2004.02546)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.editing.directions import Direction
from latentloop.editing.strength import make_direction
from latentloop.extras import load_extra
from latentloop.generators import Generator

ORIGIN = "GANSpace (Härkönen et al., arXiv:2004.02546)"
"""Origin that is stored with these directions."""


@dataclass(frozen=True)
class Components:
    """Principal components of styles, largest variance first."""

    axes: Tensor
    """Orthonormal axes, (K, w_dim)."""
    deviations: Tensor
    """Standard deviation of the styles along each axis, (K,)."""
    shares: Tensor
    """Share of the total variance along each axis, (K,)."""


def principal_components(w: Tensor, count: int) -> Components:
    """Compute the principal components of styles (N, w_dim) with scikit-learn.

    Args:
        w: Samples of W, (N, w_dim).
        count: Number of components, below N and at most w_dim.

    Raises:
        UserError: scikit-learn is not installed.
    """
    load_extra("sklearn", "this needs scikit-learn", "scikit-learn")
    from sklearn.decomposition import PCA

    # The exact solver: by default scikit-learn may choose a randomised one, and directions would differ between runs.
    pca = PCA(count, svd_solver="covariance_eigh").fit(w.double().cpu().numpy())
    shares = torch.from_numpy(pca.explained_variance_ratio_)
    return Components(torch.from_numpy(pca.components_), torch.from_numpy(pca.explained_variance_).sqrt(), shares)


def ganspace_directions(generator: Generator, w: Tensor, count: int, layers: tuple[int, ...]) -> list[Direction]:
    """Find GANSpace's directions pc0, pc1 ..., largest variance first; strength 1 is one standard deviation.

    Args:
        generator: Generator of the samples.
        w: Samples of its W, (N, w_dim).
        count: Number of directions.
        layers: Layers that the directions change, see `parse_layers`; they do not affect the search.

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
