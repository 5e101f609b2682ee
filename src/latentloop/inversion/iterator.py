"""The optimization-based iterator of Guan et al. (arXiv:2007.01758): gradient descent on a code."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from latentloop.errors import NotFiniteError
from latentloop.generators.protocol import Generator, check_generator
from latentloop.inversion.config import IteratorConfig
from latentloop.inversion.metric import PerceptualMetric
from latentloop.inversion.prior import CodePrior
from latentloop.losses.image import LossToward
from latentloop.optim.adam import State, adam_step
from latentloop.optim.muon import muon_step
from latentloop.options import check_kind
from latentloop.stamps import left_out_at

MUON_MOMENTUM = 0.9
"""Momentum of Muon, lower than in network training, since gradients here carry no noise from random batches."""
RETREAT = 0.5
"""Factor of an image's step size after each undone step."""
OnStep = Callable[[int, Tensor], None]  # (steps done, loss of each image's best code so far, (N,))
OnCode = Callable[[Tensor], None]  # (each image's best code so far, (N, num_ws, w_dim))
OnImage = Callable[[Tensor], None]  # (images of this step, (N, 3, R, R), about [-1, 1])


@dataclass(frozen=True)
class Inversion:
    """Codes of N targets, with the losses of the optimization."""

    w_plus: Tensor
    """Best code of each target, (N, num_ws, w_dim)."""
    loss: Tensor
    """Loss of `w_plus`, (N,); NaN with 0 steps, since then nothing is measured."""
    losses: Tensor
    """Loss at the start and after each step, (steps + 1, N), constant after an image's early stop; (0, N) with 0 steps.
    After an undone step, the loss of the code that it returned to."""
    steps: Tensor
    """Step after which the best code was found, (N,); 0 for the start."""
    draw: Callable[[], Tensor] = field(repr=False)
    """Function that draws `image`; called on first use, so that an unused image costs nothing."""
    noise: tuple[Tensor, ...] | None = None
    """Noise map of each layer, (N, 1, H, W), if the method optimizes noise, too."""
    generators: tuple[Generator, ...] = field(default=(), repr=False)
    """Generator of each code, if the method changes weights or features; empty if all are the given generator."""

    @cached_property
    def image(self) -> Tensor:
        """Images of `w_plus`, (N, 3, R, R), about [-1, 1]; drawn on first use."""
        return self.draw()


@dataclass(frozen=True)
class LatentIterator:
    """Gradient descent on a code from a given start: the iterator of Guan et al. (arXiv:2007.01758).

    The optimizer is Muon, or Adam as in Image2StyleGAN (arXiv:1904.03189). The best code is kept, not the last. If
    `IteratorConfig.undoes`, a step that leaves an image worse than its start is undone: the image continues from its
    best code, with half the step size.
    """

    generator: Generator
    """Generator that is inverted; its weights stay fixed."""
    loss: LossToward
    """Loss of images toward targets, one value per image."""
    config: IteratorConfig = IteratorConfig()
    """Number and size of the steps."""
    prior: CodePrior | None = left_out_at(None, default=None)
    """Term on codes and their starts that is added to the loss. The best code has the lowest sum; reported losses are
    those of the image alone, so that they compare across priors."""
    metric: PerceptualMetric | None = left_out_at(None, default=None)
    """Perceptual metric of the generator, with which Muon needs half the steps; Adam ignores it."""

    def refine(
        self, target: Tensor, start: Tensor, on_step: OnStep | None = None, on_code: OnCode | None = None
    ) -> Inversion:
        """Optimize a code for each target; an image's result does not depend on the rest of its batch.

        With 0 steps the start is returned, and nothing is drawn or measured.

        Args:
            target: Images (N, 3, R, R) in [-1, 1]; the generator draws at R.
            start: Codes to start from, (N, num_ws, w_dim); in space "w" only their first style is used.
            on_step: Called at the start and after each step, never with 0 steps; an exception ends the run.
            on_code: Called before `on_step` with the best codes so far, for previews.

        Raises:
            ValueError: Shapes or types do not fit each other or the generator.
            NotFiniteError: Target, start or loss is not finite.
        """
        self._check(target, start)
        with torch.inference_mode(mode=False), torch.enable_grad():  # the caller may have switched gradients off
            return self._refined(_usual(target), _usual(start), on_step, on_code)

    def _refined(self, target: Tensor, start: Tensor, on_step: OnStep | None, on_code: OnCode | None) -> Inversion:
        code = (start[:, :1] if self.config.space == "w" else start).detach().clone()
        if not self.config.steps:
            return self._unrefined(code, target)
        loss_of, state = self.loss(target), State()
        prior_of = self.prior(self._every_layer(code)) if self.prior else None
        losses, best = target.new_zeros(self.config.steps + 1, len(target)), _Best.unseen(code, target)
        for step in range(self.config.steps + 1):
            variable = code.detach().requires_grad_(step < self.config.steps)
            with torch.set_grad_enabled(variable.requires_grad):
                image = self._draw(variable, target.shape[-1])
                loss = loss_of(image)
                total = loss + prior_of(self._every_layer(variable)) if prior_of else loss
            _check_finite(total, f"the loss after {step} steps")
            best.update(code, total, loss, step, image)
            undone = best.overshot(total) & self.config.undoes  # (N,)
            losses[step] = torch.where(undone, best.loss, loss.detach())
            if on_code:
                on_code(self._every_layer(best.code))
            if on_step:
                on_step(step, best.loss)
            active = self._active(best, step)
            # Images that have stopped early are still drawn with the rest; the loop ends when all have stopped.
            if step == self.config.steps or not active.any():
                losses[step + 1 :] = losses[step]
                break
            # Summed, not averaged: an image's path must not depend on the rest of its batch.
            (gradient,) = torch.autograd.grad(total.sum(), variable)
            code, gradient = best.retreat(undone, code, gradient, step)
            stepped = self._stepped(code, gradient, state, lr=self.config.largest_step * self.ramp(step + 1))
            # One step size serves the whole batch, so a smaller step of a single image is an interpolation.
            code = torch.where(_each(active), code.lerp(stepped, _each(best.share)), code)
        w_plus = self._every_layer(best.code).clone()
        return Inversion(w_plus, best.loss, losses, best.step, lambda: best.image)

    def _unrefined(self, code: Tensor, target: Tensor) -> Inversion:
        unmeasured = target.new_full((len(target),), math.nan)

        @torch.no_grad()
        def draw() -> Tensor:
            return self._draw(code, target.shape[-1])

        w_plus = self._every_layer(code).clone()
        steps = torch.zeros_like(unmeasured, dtype=torch.long)
        return Inversion(w_plus, unmeasured, target.new_empty(0, len(target)), steps, draw)

    def _stepped(self, code: Tensor, gradient: Tensor, state: State, *, lr: float) -> Tensor:
        """Codes (N, num_ws or 1, w_dim) after a step of size `lr`."""
        stepped = code.clone()
        if self.config.takes_matrices:
            # rms 1: `lr` is the root mean square change of a code's numbers.
            descended = self.metric.natural(gradient) if self.metric else gradient
            muon_step(stepped, descended, state, lr=lr, rms=1.0, momentum=MUON_MOMENTUM)
        else:
            adam_step(stepped, gradient, state, lr=lr)
        return stepped

    def _draw(self, code: Tensor, resolution: int) -> Tensor:
        return self.generator.synthesis(self._every_layer(code), resolution=resolution)

    def _every_layer(self, code: Tensor) -> Tensor:
        """Codes (N, num_ws or 1, w_dim), with a single style repeated for all layers: (N, num_ws, w_dim)."""
        return code.expand(-1, self.generator.num_ws, -1)

    def _active(self, best: "_Best", step: int) -> Tensor:
        """Mask of the images that have not stopped early, (N,)."""
        if not self.config.patience:
            return torch.ones_like(best.step, dtype=torch.bool)
        return step - best.step < self.config.patience

    def ramp(self, step: int) -> float:
        """Compute the factor of the step size at a step counted from 1: up linearly, down along a cosine.

        The shape is that of the projector of StyleGAN2 (arXiv:1912.04958).
        """
        done = step / (self.config.steps + 1)  # below 1, so that the last step still has a positive size
        up = min(1.0, done / self.config.ramp_up) if self.config.ramp_up else 1.0
        down = min(1.0, (1 - done) / self.config.ramp_down) if self.config.ramp_down else 1.0
        return up * (0.5 - 0.5 * math.cos(math.pi * down))

    def _check(self, target: Tensor, start: Tensor) -> None:
        check_generator(self.generator)
        check_kind("target", target, Tensor, "a tensor (N, 3, R, R) in [-1, 1]")
        check_kind("start", start, Tensor, "a tensor (N, num_ws, w_dim)")
        if not target.is_floating_point() or not start.is_floating_point():
            raise ValueError(f"target and start must be floating-point numbers, got {target.dtype} and {start.dtype}")
        if target.ndim != 4 or target.shape[1] != 3 or target.shape[2] != target.shape[3]:
            raise ValueError(f"target must be (N, 3, R, R), got {tuple(target.shape)}")
        expected = (len(target), self.generator.num_ws, self.generator.w_dim)
        if tuple(start.shape) != expected:
            raise ValueError(f"start must be (N, num_ws, w_dim) = {expected}, got {tuple(start.shape)}")
        _check_finite(target, "target")
        _check_finite(start, "start")


@dataclass
class _Best:
    """State of the search: the best code of each image so far, and its step size."""

    code: Tensor  # (N, num_ws or 1, w_dim)
    total: Tensor  # (N,), loss and prior
    loss: Tensor  # (N,)
    step: Tensor  # (N,)
    image: Tensor  # (N, 3, R, R)
    gradient: Tensor  # gradient of `total`, shaped like the code; not updated after the last step
    start: Tensor  # (N,), total of the start
    share: Tensor  # (N,), factor of an image's steps

    @classmethod
    def unseen(cls, code: Tensor, target: Tensor) -> "_Best":
        never = target.new_full((len(target),), math.inf)
        step, image, gradient = torch.zeros_like(never).long(), torch.zeros_like(target), torch.zeros_like(code)
        return cls(code, never, never, step, image, gradient, never, code.new_ones(len(code)))

    def update(self, code: Tensor, total: Tensor, loss: Tensor, step: int, image: Tensor) -> None:
        better = total.detach() < self.total
        self.total = torch.where(better, total.detach(), self.total)
        self.code = torch.where(_each(better), code, self.code)
        self.loss = torch.where(better, loss.detach(), self.loss)
        self.step = torch.where(better, step, self.step)
        self.image = torch.where(better[:, None, None, None], image.detach(), self.image)
        self.start = self.start if step else self.total  # the first update is that of the start

    def overshot(self, total: Tensor) -> Tensor:
        """Mask of the images that are worse than their start, (N,)."""
        return total.detach() > self.start

    def retreat(self, undone: Tensor, code: Tensor, gradient: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Codes and gradients to continue from: those of the best code for images whose step is undone."""
        # The gradient at the best code is kept, so returning to it costs no extra backward pass.
        self.gradient = torch.where(_each(self.step == step), gradient, self.gradient)
        self.share = torch.where(undone, RETREAT * self.share, self.share)
        return torch.where(_each(undone), self.code, code), torch.where(_each(undone), self.gradient, gradient)


def _usual(values: Tensor) -> Tensor:
    """A copy of tensors made in inference mode, which autograd refuses; other tensors are returned as they are."""
    return values.clone() if values.is_inference() else values


def _each(values: Tensor) -> Tensor:
    """Values of images, (N,), shaped to broadcast with codes (N, num_ws, w_dim)."""
    return values[:, None, None]


def _check_finite(values: Tensor, what: str) -> None:
    if not values.isfinite().all():
        raise NotFiniteError(f"{what} is not finite: NaN or infinity")
