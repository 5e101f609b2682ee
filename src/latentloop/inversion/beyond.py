"""Refiners beyond W+: what they have in common."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from latentloop.defaults import WORKING_SIZE
from latentloop.errors import NotFiniteError
from latentloop.generators import Generator, Refinement
from latentloop.images import resample
from latentloop.inversion.iterator import OnImage, OnStep
from latentloop.losses.image import LossToward

TILE = 256
"""Side of the tiles that are compared at an image's own size, in pixels."""
COARSE = 0.8
"""Share of the steps, the first ones, that compare at the working size alone: they take half as long."""
WARM_UP = 3
"""Steps over which the step size grows: Adam's first ones are as long as any, in directions of one gradient."""


@dataclass(frozen=True)
class Refined:
    """Refinements of N codes."""

    refinements: tuple[Refinement, ...]
    """The refinement of each code, as a file stores it."""
    losses: Tensor
    """Loss at the start and after each step, (steps + 1, N), without the comparison of tiles."""


class BeyondRefiner(Protocol):
    """A refiner that finds, for given codes, what their photos have beyond them."""

    @property
    def generator(self) -> Generator:
        """The generator that is refined, and draws the results."""
        ...

    @property
    def steps(self) -> int:
        """Number of steps."""
        ...

    def refine(
        self, target: Tensor, w_plus: Tensor, on_step: OnStep | None = None, on_image: OnImage | None = None
    ) -> Refined:
        """Find the refinement of each code; an image's path does not depend on the rest of its batch.

        Args:
            target: Images (N, 3, S, S) in [-1, 1]; the generator draws at S.
            w_plus: Codes of the targets, (N, num_ws, w_dim), which stay as they are.
            on_step: Called at the start and after each step with the steps done and each image's best loss, (N,).
            on_image: Called just before `on_step` with what is drawn then, for previews; one image at a time where
                they are refined one after the other.

        Raises:
            NotFiniteError: A loss is not finite.
            ValueError: The shapes do not fit.
        """
        ...


@dataclass(frozen=True)
class Comparison:
    """Losses of images as a whole at a working size, and of a tile at their own, another one each time."""

    loss: LossToward
    """Loss of images of at most 256 pixels."""
    tile_weight: float = 0.5
    """Weight of the tile. Images that are not larger than one have no tiles."""

    def toward(self, target: Tensor) -> "Compared":
        """Look at targets (N, 3, S, S), once for all steps."""
        return Compared(self, target)


class Compared:
    """Losses toward fixed targets."""

    def __init__(self, comparison: Comparison, target: Tensor) -> None:
        """Look at targets, (N, 3, S, S) in [-1, 1]."""
        self._weight, size = comparison.tile_weight, target.shape[-1]
        self._coarse, self._fine = min(WORKING_SIZE, size), size
        self._whole = comparison.loss(resample(target, self._coarse))
        self._tiles = _tiles(size) if size > TILE else []
        self._tile_losses = [comparison.loss(_cut(target, tile)) for tile in self._tiles]

    def size(self, share: float) -> int:
        """Size at which images are to be drawn after a share of the steps: the working size, or S."""
        return self._fine if share >= COARSE else self._coarse

    def whole(self, image: Tensor) -> Tensor:
        """Compare images, drawn at the working size or at S, at the working size, (N,)."""
        return self._whole(resample(image, self._coarse))

    def tile(self, image: Tensor, step: int) -> Tensor:
        """Compare the tile whose turn it is, weighted, (N,); zeros where there are none, or images are not at S."""
        if not self._tiles or image.shape[-1] < self._fine:
            return image.new_zeros(len(image))
        turn = step % len(self._tiles)
        return self._weight * self._tile_losses[turn](_cut(image, self._tiles[turn]))


def ramp(step: int, steps: int) -> float:
    """Factor of the step size at a step counted from 1: up linearly, and down along a cosine."""
    return min(1.0, step / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * step / (steps + 1)))


def check_loss(loss: Tensor, step: int) -> None:
    """Raise NotFiniteError unless losses are finite."""
    if not loss.isfinite().all():
        raise NotFiniteError(f"the loss after {step} steps of refining is not finite: NaN or infinity")


def check_refined(target: Tensor, w_plus: Tensor, generator: Generator) -> None:
    """Raise ValueError unless targets and codes fit each other and the generator."""
    if target.ndim != 4 or target.shape[1] != 3 or target.shape[2] != target.shape[3]:
        raise ValueError(f"target must be (N, 3, S, S), got {tuple(target.shape)}")
    expected = (len(target), generator.num_ws, generator.w_dim)
    if tuple(w_plus.shape) != expected:
        raise ValueError(f"w_plus must be (N, num_ws, w_dim) = {expected}, got {tuple(w_plus.shape)}")


def _tiles(size: int) -> list[tuple[int, int]]:
    """Top rows and left columns of the tiles that cover an image, those in turn far apart."""
    count = math.ceil(size / TILE)
    at = torch.linspace(0, size - TILE, count).round().int().tolist()
    return [(at[i], at[(i + shift) % count]) for shift in range(count) for i in range(count)]


def _cut(image: Tensor, tile: tuple[int, int]) -> Tensor:
    top, left = tile
    return image[..., top : top + TILE, left : left + TILE]
