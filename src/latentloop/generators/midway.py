"""Interrupting and resuming synthesis at an intermediate resolution: seams, and the features there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from latentloop.generators.protocol import Generator


@dataclass(frozen=True)
class Midway:
    """The intermediate state of a synthesis network at one of its seams."""

    seam: int
    """Resolution whose last layer gave the features."""
    features: Tensor
    """Features at the seam, (N, C, H, W)."""
    image: Tensor | None = None
    """RGB sum of StyleGAN2's lower resolutions, (N, 3, H/2, W/2); None if nothing is drawn yet."""


@runtime_checkable
class Seamed(Protocol):
    """A synthesis network that can be interrupted at a seam: `finish` continues where `begin` stopped."""

    @property
    def seams(self) -> Mapping[int, tuple[int, int, int]]:
        """Resolutions after whose last layer the network can be cut, with the shape (C, H, W) of the features.

        StyleGAN3's seams are sampling rates; its features cover a canvas larger than the image.
        """
        ...

    def begin(self, w_plus: Tensor, /, seam: int) -> Midway:
        """Run the layers up to a seam on styles (N, num_ws, w_dim), with the stored noise.

        Raises:
            ValueError: There is no such seam.
        """
        ...

    def finish(self, midway: Midway, w_plus: Tensor, /, *, resolution: int | None = None) -> Tensor:
        """Run the remaining layers on styles (N, num_ws, w_dim), to RGB (N, 3, R, R), about [-1, 1].

        Args:
            midway: The state that `begin` returned, or one with other features.
            w_plus: Styles in W+; only those of the remaining layers matter.
            resolution: R, as in `Generator.synthesis`.
        """
        ...


@runtime_checkable
class Scaled(Seamed, Protocol):
    """A seamed synthesis network whose first layer after each seam only scales the channels before it convolves."""

    def scales(self, w_plus: Tensor, /, seam: int) -> Tensor:
        """Compute the channel factors of the first layer after a seam, (N, C), from styles (N, num_ws, w_dim).

        Raises:
            ValueError: There is no such seam, or no layer after it.
        """
        ...


def seamed(generator: Generator) -> Seamed:
    """Return the synthesis network of a generator that can be interrupted at seams.

    Raises:
        TypeError: The synthesis has no seams, for example because it is replaced by a function.
    """
    synthesis: object = generator.synthesis
    if not isinstance(synthesis, Seamed):
        raise TypeError(f"{generator.name}: its synthesis has no seams at which features could be changed")
    return synthesis


def scaled(generator: Generator) -> Scaled:
    """Return the synthesis network of a generator that tells its layers' channel factors.

    Raises:
        TypeError: The synthesis does not tell them.
    """
    synthesis: object = generator.synthesis
    if not isinstance(synthesis, Scaled):
        raise TypeError(f"{generator.name}: its synthesis has no channel factors that a feature encoder could see")
    return synthesis


def level_of(resolution: int) -> int:
    """Count the doublings from 4 pixels to a resolution, a power of two."""
    return (resolution // 4).bit_length() - 1  # log2(resolution / 4)
