"""Which generators tell the maps from a style to what it scales."""

from typing import Protocol, runtime_checkable

from torch import Tensor

from latentloop.generators.protocol import Generator


@runtime_checkable
class HasAffines(Protocol):
    """A generator whose styles enter through linear maps."""

    def affine_weights(self) -> list[Tensor]:
        """The weights of these maps, (C, w_dim) for each style, coarsest first; several maps of one style in a row."""
        ...


def affine_weights(generator: Generator) -> list[Tensor] | None:
    """The weights (C, w_dim) of the maps that each style of a generator goes through; None if it does not tell."""
    return generator.affine_weights() if isinstance(generator, HasAffines) else None
