"""Directions of a latent space, each of which changes one attribute of an image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from latentloop.editing.layers import layer_mask


@dataclass(frozen=True)
class Direction:
    """A direction of a latent space and its provenance; tensors are on the CPU."""

    name: str
    """Name of the direction, such as "smile"."""
    vector: Tensor
    """Change at strength 1: of every style, (w_dim,), or of each layer's style, (num_ws, w_dim)."""
    layers: tuple[int, ...]
    """Layers that the direction changes, in ascending order."""
    num_ws: int
    """Number of styles of the codes that the direction is for."""
    fingerprint: str
    """Fingerprint of the latent space."""
    generator: str
    """Name of the generator that the direction was computed for."""
    licence: str = "unknown"
    """Licence under which the direction may be used."""
    origin: str = ""
    """Author and method of the direction."""
    about: dict[str, Any] = field(default_factory=dict)
    """Measurements of the direction, as JSON values."""

    def change(self) -> Tensor:
        """Compute the change of a code at strength 1, (num_ws, w_dim)."""
        return self.vector.expand(self.num_ws, -1) * layer_mask(self.layers, self.num_ws)


def edit(w_plus: Tensor, edits: Iterable[tuple[Direction, float]]) -> Tensor:
    """Move codes along several directions.

    Args:
        w_plus: Styles, (N, num_ws, w_dim).
        edits: Directions with their strengths; strength 0 leaves codes identical to the bit.
    """
    for direction, strength in edits:
        if strength:
            w_plus = w_plus + strength * direction.change().to(w_plus)
    return w_plus


def conditional(direction: Direction, kept: Sequence[Direction]) -> Direction:
    """Project other directions out of a direction, so that their attributes change less.

    This is InterFaceGAN's conditional manipulation (Shen et al., arXiv:1907.10786, section 2.2): the component in the
    span of the other directions is removed, here in W+ on the layers that the direction changes.

    Args:
        direction: Direction of the attribute to change.
        kept: Directions of the attributes to keep.
    """
    if not kept:
        return direction
    change = direction.change()[list(direction.layers)].double()
    others = torch.stack([one.vector.expand(one.num_ws, -1)[list(direction.layers)].double() for one in kept])
    # The pseudoinverse also handles directions that are linearly dependent on these layers.
    span = others.flatten(1)
    rest = change.flatten() - span.T @ (torch.linalg.pinv(span.T) @ change.flatten())  # n - P P^+ n
    vector = torch.zeros(direction.num_ws, change.shape[1])
    vector[list(direction.layers)] = rest.unflatten(0, tuple(change.shape)).float()
    return replace(direction, vector=vector)
