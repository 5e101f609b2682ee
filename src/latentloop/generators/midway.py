"""Images half drawn, and the seams at which synthesis networks can be cut."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from latentloop.generators.protocol import Generator


@dataclass(frozen=True)
class Midway:
    """An image half drawn: what a synthesis network has at one of its seams."""

    seam: int
    """The seam: the resolution whose last layer gave the features."""
    features: Tensor
    """The features, (N, C, H, W)."""
    image: Tensor | None = None
    """What the layers of lower resolutions have drawn, (N, 3, H/2, W/2), in StyleGAN2; None if nothing is drawn yet."""


@runtime_checkable
class Seamed(Protocol):
    """A synthesis network that can be left midway and entered again: `finish` draws on where `begin` stopped."""

    @property
    def seams(self) -> Mapping[int, tuple[int, int, int]]:
        """Resolutions after whose last layer the network can be cut, with the shape (C, H, W) of the features.

        In StyleGAN3 they are sampling rates; the canvas of the features is larger.
        """
        ...

    def begin(self, w_plus: Tensor, /, seam: int) -> Midway:
        """Draw styles (N, num_ws, w_dim), with the stored noise, up to a seam.

        Raises:
            ValueError: There is no such seam.
        """
        ...

    def finish(self, midway: Midway, w_plus: Tensor, /, *, resolution: int | None = None) -> Tensor:
        """Draw the rest of images that were begun, as RGB (N, 3, R, R), about [-1, 1], under styles (N, num_ws, w_dim).

        Args:
            midway: What `begin` gave, or other features in its place.
            w_plus: Styles in W+, of which only those of the remaining layers count.
            resolution: R, as of `Generator.synthesis`.
        """
        ...


def seamed(generator: Generator) -> Seamed:
    """Give the synthesis network of a generator, which can be cut at its seams.

    Raises:
        TypeError: It draws in one piece, as a generator whose drawing is replaced does.
    """
    synthesis: object = generator.synthesis
    if not isinstance(synthesis, Seamed):
        raise TypeError(f"{generator.name}: draws in one piece, has no features that could be changed on the way")
    return synthesis


def is_seamed(generator: Generator) -> bool:
    """Tell whether the synthesis network of a generator can be cut at seams."""
    return isinstance(generator.synthesis, Seamed)


def level_of(resolution: int) -> int:
    """Count the doublings from 4 pixels to a resolution."""
    return (resolution // 4).bit_length() - 1
