"""Common parts of the refiners beyond W+: protocol, comparison with the target, schedule, checks."""

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
"""Side of the tiles that are compared at full size, in pixels."""
COARSE = 0.8
"""Share of the steps, at the beginning, that compare at the working size only, which takes half as long."""
WARM_UP = 3
"""Steps over which the step size grows: Adam's first steps have full length although they follow a single gradient."""


@dataclass(frozen=True)
class Refined:
    """Refinements of N codes, with the losses of the optimization."""

    refinements: tuple[Refinement, ...]
    """The refinement of each code, as a file stores it."""
    losses: Tensor
    """Loss at the start and after each step, (steps + 1, N), without the tiles' term."""


class BeyondRefiner(Protocol):
    """A refiner that changes features or weights to draw what a photo's code cannot."""

    @property
    def generator(self) -> Generator:
        """Generator that is refined and draws the results."""
        ...

    @property
    def steps(self) -> int:
        """Number of optimization steps."""
        ...

    def refine(
        self, target: Tensor, w_plus: Tensor, on_step: OnStep | None = None, on_image: OnImage | None = None
    ) -> Refined:
        """Optimize the refinement of each code; an image's result does not depend on the rest of its batch.

        Args:
            target: Images (N, 3, S, S) in [-1, 1]; the generator draws at S.
            w_plus: Codes of the targets, (N, num_ws, w_dim), which stay as they are.
            on_step: Called at the start and after each step with the number of steps and each image's best loss, (N,).
            on_image: Called before `on_step` with the current images, for previews; with one image at a time in
                refiners that treat images one after the other.

        Raises:
            NotFiniteError: A loss is not finite.
            ValueError: The shapes do not fit each other or the generator.
        """
        ...


@dataclass(frozen=True)
class Comparison:
    """A loss of whole images at the working size, plus the same loss of one tile at full size, in turn."""

    loss: LossToward
    """Loss of images of at most 256 pixels."""
    tile_weight: float = 0.5
    """Weight of the tile's loss. Images no larger than a tile have none."""

    def toward(self, target: Tensor) -> "Compared":
        """Prepare the comparison with fixed targets (N, 3, S, S) in [-1, 1]."""
        return Compared(self, target)


class Compared:
    """Losses toward fixed targets, whose features are computed once for all steps."""

    def __init__(self, comparison: Comparison, target: Tensor) -> None:
        """Compute the features of targets, (N, 3, S, S) in [-1, 1], as a whole and of each tile."""
        self._weight, size = comparison.tile_weight, target.shape[-1]
        self._coarse, self._fine = min(WORKING_SIZE, size), size
        self._whole = comparison.loss(resample(target, self._coarse))
        self._tiles = _tiles(size) if size > TILE else []
        # One loss per tile: each holds the features of its part of the targets.
        self._tile_losses = [comparison.loss(_cut(target, tile)) for tile in self._tiles]

    def size(self, share: float) -> int:
        """Resolution to draw at after a share of the steps, 0 to 1: the working size, later S."""
        return self._fine if share >= COARSE else self._coarse

    def whole(self, image: Tensor) -> Tensor:
        """Compute the loss of whole images at the working size, (N,); they may be drawn at that size or at S."""
        return self._whole(resample(image, self._coarse))

    def tile(self, image: Tensor, step: int) -> Tensor:
        """Compute the weighted loss of the tile of a step, (N,); 0 without tiles or for images smaller than S."""
        if not self._tiles or image.shape[-1] < self._fine:
            return image.new_zeros(len(image))
        turn = step % len(self._tiles)
        return self._weight * self._tile_losses[turn](_cut(image, self._tiles[turn]))


@dataclass
class Least:
    """Lowest loss of each of N images so far, among those of images drawn at one resolution."""

    loss: Tensor
    """Lowest losses, (N,); infinite at first."""
    size: int = 0
    """Resolution at which they were drawn, in pixels."""

    @classmethod
    def unseen(cls, target: Tensor) -> "Least":
        """Begin without any loss of the targets, (N, 3, S, S)."""
        return cls(target.new_full((len(target),), math.inf))

    def lower(self, loss: Tensor, size: int) -> Tensor:
        """Take in losses (N,) of images drawn at a resolution; returns which of them are the lowest so far, (N,)."""
        if size != self.size:  # losses of images drawn at different resolutions do not compare
            self.loss, self.size = torch.full_like(self.loss, math.inf), size
        better = loss < self.loss
        self.loss = torch.where(better, loss, self.loss)
        return better


def ramp(step: int, steps: int) -> float:
    """Compute the factor of the step size at a step counted from 1: a linear warm-up, then a cosine decay."""
    # steps + 1, so that the last step still has a positive size.
    return min(1.0, step / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * step / (steps + 1)))


def check_loss(loss: Tensor, step: int) -> None:
    """Raise a NotFiniteError unless all losses are finite."""
    if not loss.isfinite().all():
        raise NotFiniteError(f"the loss after {step} steps of refining is not finite: NaN or infinity")


def check_refined(target: Tensor, w_plus: Tensor, generator: Generator) -> None:
    """Raise a ValueError unless targets and codes fit each other and the generator."""
    if target.ndim != 4 or target.shape[1] != 3 or target.shape[2] != target.shape[3]:
        raise ValueError(f"target must be (N, 3, S, S), got {tuple(target.shape)}")
    expected = (len(target), generator.num_ws, generator.w_dim)
    if tuple(w_plus.shape) != expected:
        raise ValueError(f"w_plus must be (N, num_ws, w_dim) = {expected}, got {tuple(w_plus.shape)}")


def _tiles(size: int) -> list[tuple[int, int]]:
    """Top rows and left columns of the tiles that cover an image, ordered so that successive tiles are far apart."""
    count = math.ceil(size / TILE)
    # Evenly spaced, so tiles overlap where the size is not a multiple of theirs.
    at = torch.linspace(0, size - TILE, count).round().int().tolist()
    return [(at[i], at[(i + shift) % count]) for shift in range(count) for i in range(count)]


def _cut(image: Tensor, tile: tuple[int, int]) -> Tensor:
    top, left = tile
    return image[..., top : top + TILE, left : left + TILE]
