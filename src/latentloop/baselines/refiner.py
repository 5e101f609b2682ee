"""Shared parts of the earlier methods: the protocol of a refiner, per-image randomness, and Adam's loop."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from latentloop.errors import NotFiniteError
from latentloop.inversion.iterator import Inversion, OnStep
from latentloop.optim.adam import State, adam_step


class Refiner(Protocol):
    """A method that refines codes, such as `LatentIterator`."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Refine a code for each target; an image's result does not depend on the rest of its batch.

        Args:
            target: Images (N, 3, R, R) in [-1, 1].
            start: Codes to start from, (N, num_ws, w_dim).
            on_step: Called at the start and after each step with the number of steps and each image's best loss, (N,).
        """
        ...


class Randomness:
    """Normal random numbers for a batch of images; an image gets the same ones in any batch."""

    def __init__(self, seed: int, like: Tensor) -> None:
        """Seed one generator per image of `like`, (N, ...); numbers get its type and device."""
        self._like = like
        self._generators = [torch.Generator().manual_seed(seed) for _ in range(len(like))]

    def normal(self, *shape: int) -> Tensor:
        """Draw the next standard normal numbers, (N, *shape)."""
        # One generator per image, all with one seed and on the CPU: the same numbers in any batch, on any device.
        drawn = torch.stack([torch.randn(shape, generator=generator) for generator in self._generators])
        return drawn.to(self._like)


def descend(
    variables: Sequence[Tensor],
    loss_at: Callable[[int], Tensor],
    *,
    steps: int,
    lr_at: Callable[[int], float],
    after: Callable[[int, Tensor], None],
) -> None:
    """Minimise the loss of each image with Adam, over variables whose first axis is the image.

    Args:
        variables: Leaf tensors that require gradients; changed in place.
        loss_at: Function that computes the loss before step i, counted from 0, (N,).
        steps: Number of steps.
        lr_at: Function that returns the step size of step i.
        after: Called after step i with the loss before it, (N,).

    Raises:
        NotFiniteError: A loss is NaN or infinite.
    """
    states = [State() for _ in variables]
    for step in range(steps):
        loss = loss_at(step)
        if not loss.isfinite().all():
            raise NotFiniteError(f"the loss after {step} steps is not finite: NaN or infinity")
        # Summed, not averaged: an image's path must not depend on the rest of its batch.
        gradients = torch.autograd.grad(loss.sum(), list(variables))
        for variable, gradient, state in zip(variables, gradients, states, strict=True):
            adam_step(variable, gradient, state, lr=lr_at(step))
        after(step, loss.detach())
