"""The optimization-based iterator."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.errors import NotFiniteError
from latentloop.generators.protocol import Generator
from latentloop.inversion.config import IteratorConfig
from latentloop.losses.image import LossToward
from latentloop.optim.muon import Muon

MUON_MOMENTUM = 0.9
"""Less than for the weights of a network: here no gradient is of a random batch."""
OnStep = Callable[[int, Tensor], None]  # (steps done, best loss so far of each image, (N,))


@dataclass(frozen=True)
class Inversion:
    """What an inverter found for N targets."""

    w_plus: Tensor
    """The best code seen of each target, (N, num_ws, w_dim)."""
    loss: Tensor
    """Its loss, (N,)."""
    losses: Tensor
    """Loss at the start and after each step, (steps + 1, N); constant once an image was left alone."""
    steps: Tensor
    """Step after which the best code was seen, (N,); 0 for the start."""
    image: Tensor
    """What the iterator's generator drew of it, (N, 3, R, R)."""
    noise: tuple[Tensor, ...] | None = None
    """Each layer's noise map, (N, 1, H, W), where a method finds those, too."""


@dataclass(frozen=True)
class LatentIterator:
    """Gradient descent on the code alone, from a given start (the iterator of Guan et al., arXiv:2007.01758).

    By Muon, or by Adam as in Image2StyleGAN (arXiv:1904.03189). It keeps the best code seen, not the last.
    """

    generator: Generator
    loss: LossToward
    config: IteratorConfig = IteratorConfig()

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Refine a code for each target; an image's path does not depend on the rest of its batch.

        Args:
            target: Images (N, 3, R, R) in [-1, 1]; the generator draws at R.
            start: Codes to start from, (N, num_ws, w_dim); in space "w" only their first style is used.
            on_step: Called at the start and after each step.

        Raises:
            ValueError: The shapes do not fit.
            NotFiniteError: Target, start or loss are not finite.
        """
        self._check(target, start)
        code = (start[:, :1] if self.config.space == "w" else start).detach().clone().requires_grad_()
        loss_of = self.loss(target)
        optimizer = self._optimizer(code)
        losses = target.new_zeros(self.config.steps + 1, len(target))
        never = target.new_full((len(target),), math.inf)
        best = _Best(code.detach().clone(), never, code.new_zeros(len(code)).long(), torch.zeros_like(target))
        for step in range(self.config.steps + 1):
            with torch.set_grad_enabled(step < self.config.steps):
                image = self._draw(code, target.shape[-1])
                loss = loss_of(image)
            _check_finite(loss, f"the loss after {step} steps")
            best.update(code, loss, step, image)
            losses[step] = loss.detach()
            if on_step:
                on_step(step, best.loss)
            active = self._active(best, step)
            if step == self.config.steps or not active.any():
                losses[step + 1 :] = losses[step]
                break
            # Summed, not averaged: an image's path must not depend on the rest of its batch.
            (code.grad,) = torch.autograd.grad(loss.sum(), code)
            before = code.detach().clone()
            optimizer.param_groups[0]["lr"] = self.config.largest_step * self.ramp(step + 1)
            optimizer.step()
            with torch.no_grad():
                code.copy_(torch.where(active[:, None, None], code, before))
        w_plus = best.code.expand(-1, self.generator.num_ws, -1).clone()
        return Inversion(w_plus, best.loss, losses, best.step, best.image)

    def _optimizer(self, code: Tensor) -> torch.optim.Optimizer:
        if self.config.takes_matrices:
            return Muon([code], rms=1.0, momentum=MUON_MOMENTUM)
        return torch.optim.Adam([code])

    def _draw(self, code: Tensor, resolution: int) -> Tensor:
        return self.generator.synthesis(code.expand(-1, self.generator.num_ws, -1), resolution=resolution)

    def _active(self, best: "_Best", step: int) -> Tensor:
        """Images still worth a step, (N,)."""
        if not self.config.patience:
            return torch.ones_like(best.step, dtype=torch.bool)
        return step - best.step < self.config.patience

    def ramp(self, step: int) -> float:
        """Share of the learning rate at a step counted from 1: up linearly, down along a cosine."""
        done = step / (self.config.steps + 1)
        up = min(1.0, done / self.config.ramp_up) if self.config.ramp_up else 1.0
        down = min(1.0, (1 - done) / self.config.ramp_down) if self.config.ramp_down else 1.0
        return up * (0.5 - 0.5 * math.cos(math.pi * down))

    def _check(self, target: Tensor, start: Tensor) -> None:
        if target.ndim != 4 or target.shape[1] != 3 or target.shape[2] != target.shape[3]:
            raise ValueError(f"target must be (N, 3, R, R), got {tuple(target.shape)}")
        expected = (len(target), self.generator.num_ws, self.generator.w_dim)
        if tuple(start.shape) != expected:
            raise ValueError(f"start must be (N, num_ws, w_dim) = {expected}, got {tuple(start.shape)}")
        _check_finite(target, "target")
        _check_finite(start, "start")


@dataclass
class _Best:
    """The best code seen so far of each image."""

    code: Tensor  # (N, num_ws or 1, w_dim)
    loss: Tensor  # (N,)
    step: Tensor  # (N,)
    image: Tensor  # (N, 3, R, R)

    def update(self, code: Tensor, loss: Tensor, step: int, image: Tensor) -> None:
        better = loss.detach() < self.loss
        self.code = torch.where(better[:, None, None], code.detach(), self.code)
        self.loss = torch.where(better, loss.detach(), self.loss)
        self.step = torch.where(better, step, self.step)
        self.image = torch.where(better[:, None, None, None], image.detach(), self.image)


def _check_finite(values: Tensor, what: str) -> None:
    if not values.isfinite().all():
        raise NotFiniteError(f"{what} is not finite: NaN or infinity")
