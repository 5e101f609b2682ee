"""The affine layers through which a generator's styles enter, from W to StyleSpace (Wu et al., arXiv:2011.12799)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.generators.protocol import Generator


@dataclass(frozen=True)
class Affine:
    """An affine map from a style in W to StyleSpace: a layer's channel scales, up to a positive factor."""

    weight: Tensor
    """Weight of the map, (C, w_dim)."""
    bias: Tensor
    """Bias of the map, (C,)."""

    def __call__(self, w: Tensor) -> Tensor:
        """Map styles (N, w_dim) to the style vectors of a layer, (N, C)."""
        return F.linear(w, self.weight, self.bias)


# Runtime-checkable, since generators that delegate (`DrawnBy`) do not have the capability, see `affines`.
@runtime_checkable
class HasAffines(Protocol):
    """A generator that exposes the affine maps of its styles."""

    def affines(self) -> list[list[Affine]]:
        """Return the affine maps of each style, coarsest first; a style may enter several layers."""
        ...


def affines(generator: Generator) -> list[list[Affine]] | None:
    """Return the affine maps of each style of a generator, detached; None if it does not expose them."""
    return generator.affines() if isinstance(generator, HasAffines) else None


def affine_weights(generator: Generator) -> list[Tensor] | None:
    """Return the weights of the affine maps of each style, stacked to (C, w_dim); None if it does not expose them."""
    maps = affines(generator)
    return None if maps is None else [torch.cat([one.weight for one in of_style]) for of_style in maps]


def affines_of(layers: Sequence[nn.Linear]) -> list[Affine]:
    """Copy the affine maps of some linear layers, detached."""
    return [Affine(layer.weight.detach(), layer.bias.detach()) for layer in layers]
