"""Generators that give access to the linear maps their styles enter through."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.generators.protocol import Generator


@dataclass(frozen=True)
class Affine:
    """A linear map from styles in W to StyleSpace: the scales of a layer's channels, up to a positive factor."""

    weight: Tensor
    """Weight, (C, w_dim)."""
    bias: Tensor
    """Bias, (C,)."""

    def __call__(self, w: Tensor) -> Tensor:
        """Map styles (N, w_dim) to the style vectors of a layer, (N, C)."""
        return F.linear(w, self.weight, self.bias)


@runtime_checkable
class HasAffines(Protocol):
    """A generator whose styles enter through linear maps."""

    def affines(self) -> list[list[Affine]]:
        """Give the maps of each style, coarsest first; a style may enter several layers."""
        ...


def affines(generator: Generator) -> list[list[Affine]] | None:
    """Give the linear maps of each of a generator's styles, frozen; None if it does not expose them."""
    return generator.affines() if isinstance(generator, HasAffines) else None


def affine_weights(generator: Generator) -> list[Tensor] | None:
    """Give the weights (C, w_dim) of the linear maps of a generator's styles, stacked; None if it has no `affines`."""
    maps = affines(generator)
    return None if maps is None else [torch.cat([one.weight for one in of_style]) for of_style in maps]


def affines_of(layers: Sequence[nn.Linear]) -> list[Affine]:
    """Take the maps of layers, without gradients."""
    return [Affine(layer.weight.detach(), layer.bias.detach()) for layer in layers]
