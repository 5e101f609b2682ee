"""Generators that give access to the linear maps their styles enter through."""

from typing import Protocol, runtime_checkable

from torch import Tensor

from latentloop.generators.protocol import Generator


@runtime_checkable
class HasAffines(Protocol):
    """A generator whose styles enter through linear maps."""

    def affine_weights(self) -> list[Tensor]:
        """Give the weights of the maps, (C, w_dim) for each style, coarsest first; several of one style are stacked."""
        ...


def affine_weights(generator: Generator) -> list[Tensor] | None:
    """Give the weights (C, w_dim) of the linear maps of a generator's styles; None if it does not expose them."""
    return generator.affine_weights() if isinstance(generator, HasAffines) else None
