"""Pivotal tuning of a generator's weights to a photo, with low-rank changes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from latentloop.generators import (
    Generator,
    LowRank,
    Refinement,
    convolution_matrices,
    weights_fingerprint,
    with_deltas,
)
from latentloop.inversion.beyond import Comparison, Least, Refined, check_loss, check_refined, ramp
from latentloop.inversion.iterator import OnImage, OnStep
from latentloop.latents.sampling import code_off
from latentloop.losses.image import LossToward
from latentloop.optim.adam import State, adam_step

BETAS = (0.9, 0.95)
"""Adam's decay rates, for a run far shorter than usual."""
Report = Callable[[int, float], None]
"""Callback with the number of steps done for an image, and its best loss."""
NEIGHBOUR, PSI = 30.0, 0.5
"""Distance, over all layers, of the neighbouring codes of the locality term from the photo's code, and the truncation
of the random codes towards which they lie; both as in PTI's published code."""


@dataclass(frozen=True)
class WeightTuner:
    """Pivotal tuning of all convolutions by low-rank changes (after PTI, Roich et al., arXiv:2106.05744)."""

    generator: Generator
    """Generator that is tuned; it and the codes stay as they are."""
    comparison: Comparison
    """Loss of images toward the targets."""
    steps: int
    """Largest number of Adam steps."""
    lr: float = 0.02
    """Step size of the factors; a convolution's change is in units of its weights' root mean square."""
    rank: int = 4
    """Rank of the change of each convolution."""
    enough: float = 0.0
    """Loss at which the tuning of a photo ends early."""
    local: LossToward | None = None
    """Loss of the locality term, which keeps the images of neighbouring codes as they are; None for no term."""

    def refine(
        self, target: Tensor, w_plus: Tensor, on_step: OnStep | None = None, on_image: OnImage | None = None
    ) -> Refined:
        """Tune the weights to each target, one after the other, see `BeyondRefiner.refine`."""
        check_refined(target, w_plus, self.generator)
        with torch.inference_mode(mode=False), torch.enable_grad():  # the caller may have switched gradients off
            pairs = zip(target.clone().split(1), w_plus.detach().clone().split(1), strict=True)
            least = target.new_full((len(target),), torch.inf)
            found = [self._tuned(one, w, _of_image(i, least, on_step), on_image) for i, (one, w) in enumerate(pairs)]
        losses = torch.stack([losses for _, losses in found], dim=1)
        weights = weights_fingerprint(self.generator)
        refinements = [Refinement(self.generator.name, weights, deltas=deltas).stored() for deltas, _ in found]
        return Refined(tuple(refinements), losses)

    def _tuned(
        self, target: Tensor, w_plus: Tensor, report: Report, on_image: OnImage | None
    ) -> tuple[dict[str, LowRank], Tensor]:
        """The changes for one image, and its loss at the start and after each step, (steps + 1,)."""
        compared, factors, state = self.comparison.toward(target), self._factors(), [State(), State()]
        scales, kept = self._scales(), self._kept(w_plus, compared.size(0))
        best, least, losses = factors, Least.unseen(target), target.new_zeros(self.steps + 1)
        for step in range(self.steps + 1):
            flat = [one.detach().requires_grad_(step < self.steps) for one in factors]
            deltas = self._deltas(flat, scales)
            tuned = with_deltas(self.generator, deltas)
            size = compared.size(step / max(self.steps, 1))
            image = tuned.synthesis(w_plus, resolution=size)
            loss = compared.whole(image)
            check_loss(loss, step)
            losses[step:] = loss.detach()  # to the end: after an early stop the curve stays constant
            if least.lower(losses[step : step + 1], size):
                best = factors
            if on_image:
                on_image(image.detach())
            value = least.loss.item()
            report(step, value)
            if step == self.steps or value <= self.enough:
                break
            total = loss + compared.tile(image, step) + kept(tuned)  # (1,): images are tuned one by one
            factors = [one.clone() for one in factors]
            for one, gradient, its in zip(factors, torch.autograd.grad(total.sum(), flat), state, strict=True):
                adam_step(one, gradient, its, lr=self.lr * ramp(step + 1, self.steps), betas=BETAS)
        return self._deltas(best, scales), losses

    def _factors(self) -> list[Tensor]:
        """The left and right factors of all changes, concatenated along their rows: zeros and random numbers."""
        # As in LoRA, one factor is zero, so that tuning starts at the original weights with a non-zero gradient.
        outs, ins = zip(*convolution_matrices(self.generator).values(), strict=True)
        randomness = torch.Generator().manual_seed(0)
        # 1 / sqrt(rank) makes the scale of u v^T independent of the rank.
        right = torch.randn(sum(ins), self.rank, generator=randomness) / math.sqrt(self.rank)
        latent_avg = self.generator.latent_avg
        return [latent_avg.new_zeros(sum(outs), self.rank), right.to(latent_avg)]

    def _scales(self) -> list[float]:
        """Root mean square of the weights of each convolution."""
        weights = dict(self._module.named_parameters())
        return [float(weights[name].detach().square().mean().sqrt()) for name in convolution_matrices(self.generator)]

    @property
    def _module(self) -> nn.Module:
        if not isinstance(self.generator, nn.Module):
            kind = type(self.generator).__name__
            raise TypeError(f"{self.generator.name}: must be an nn.Module to be tuned, got {kind}")
        return self.generator

    def _deltas(self, factors: Sequence[Tensor], scales: Sequence[float]) -> dict[str, LowRank]:
        matrices = convolution_matrices(self.generator)
        left, right = (
            one.split(sizes) for one, sizes in zip(factors, zip(*matrices.values(), strict=True), strict=True)
        )
        return {name: LowRank(scale * u, v) for name, scale, u, v in zip(matrices, scales, left, right, strict=True)}

    def _kept(self, w_plus: Tensor, size: int) -> Callable[[Generator], Tensor]:
        """PTI's locality term: the loss between images of a random neighbouring code before and after tuning."""
        local = self.local
        if local is None:
            return lambda _: w_plus.new_zeros(1)

        randomness = torch.Generator().manual_seed(0)

        def moved(tuned: Generator) -> Tensor:
            with torch.no_grad():
                near = code_off(w_plus, self.generator, reach=NEIGHBOUR, truncation_psi=PSI, randomness=randomness)
                before = self.generator.synthesis(near, resolution=size)
            return local(before)(tuned.synthesis(near, resolution=size))

        return moved


def _of_image(i: int, least: Tensor, on_step: OnStep | None) -> Report:
    """Callback for the steps of image i; `least` is each image's best loss so far, (N,), infinite before its turn."""

    def report(step: int, loss: float) -> None:
        least[i] = loss
        if on_step:
            on_step(step, least.clone())

    return report
