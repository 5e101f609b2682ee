"""Directions: changes of a code that change one attribute of what it draws."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from latentloop.editing.layers import layer_mask


@dataclass(frozen=True)
class Direction:
    """A direction of a latent space. Tensors are on the CPU."""

    name: str
    vector: Tensor
    """What strength 1 adds to each style, (w_dim,), or to the style of each layer, (num_ws, w_dim)."""
    layers: tuple[int, ...]
    """The layers that it changes."""
    num_ws: int
    fingerprint: str
    """Of the latent space."""
    generator: str
    """Name of the generator that it was found with."""
    licence: str = "unknown"
    origin: str = ""
    """Who found it, and how."""
    about: dict[str, Any] = field(default_factory=dict)
    """What was measured of it; JSON."""

    def change(self) -> Tensor:
        """What strength 1 adds to a code, (num_ws, w_dim)."""
        return self.vector.expand(self.num_ws, -1) * layer_mask(self.layers, self.num_ws)


def edit(w_plus: Tensor, edits: Iterable[tuple[Direction, float]]) -> Tensor:
    """Move codes along directions, all at once.

    Args:
        w_plus: Styles, (N, num_ws, w_dim).
        edits: Directions, and how far; 0 changes nothing at all.
    """
    for direction, strength in edits:
        if strength:
            w_plus = w_plus + strength * direction.change().to(w_plus)
    return w_plus


def conditional(direction: Direction, kept: Sequence[Direction]) -> Direction:
    """The part of a direction that is orthogonal to others, so that their attributes change less.

    The conditional manipulation of InterFaceGAN (Shen et al., arXiv:1907.10786, section 2.2): what the direction has
    in common with the span of the others is taken away, here in W+ on the layers that it changes.

    Args:
        direction: What is to change.
        kept: What is not to.
    """
    if not kept:
        return direction
    change = direction.change()[list(direction.layers)].double()
    others = torch.stack([one.vector.expand(one.num_ws, -1)[list(direction.layers)].double() for one in kept])
    span = others.flatten(1)
    rest = change.flatten() - span.T @ (torch.linalg.pinv(span.T) @ change.flatten())
    vector = torch.zeros(direction.num_ws, change.shape[1])
    vector[list(direction.layers)] = rest.unflatten(0, tuple(change.shape)).float()
    return replace(direction, vector=vector)
