"""Pivotal tuning (PTI, Roich et al., arXiv:2106.05744)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.baselines.projector import Projector
from latentloop.baselines.steps import TUNING
from latentloop.baselines.tuning import Adam, Report, detached, trainable_weights, tune_each
from latentloop.features.lpips import Lpips
from latentloop.generators import Generator, reweighted
from latentloop.inversion import Inversion
from latentloop.inversion.iterator import OnStep
from latentloop.latents.sampling import code_off

PIVOT_LR = 0.01
"""Step size of the projector. The published settings say 0.005, but the published code overwrites that at each step."""

ENOUGH = 0.07
"""LPIPS at 1024 pixels at which the published code stops tuning."""


@dataclass(frozen=True)
class PivotalTuning:
    """Pivotal tuning: the projector finds a code in W, then Adam tunes all synthesis weights at that code.

    A locality term keeps the images of codes near the pivot as they are. Settings are those of the published code.
    Images are compared at the size of the targets, in the paper at 1024 pixels.
    """

    pivot: Projector
    """Method that finds the code; its generator is tuned."""
    lpips: Lpips
    """LPIPS distance; the paper uses AlexNet here."""
    steps: int = TUNING
    """Largest number of Adam steps on the weights."""
    lr: float = 3e-4
    """Adam's step size for the weights."""
    enough: float = ENOUGH
    """LPIPS at which tuning stops early."""
    lambda_locality: float = 0.1
    """Weight of the locality term: MSE and LPIPS between a neighbouring code's images before and after tuning."""
    reach: float = 30.0
    """Distance of the neighbouring code from the pivot, over all layers."""
    psi: float = 0.5
    """Truncation of the random code in whose direction the neighbouring code lies."""
    seed: int = 0
    """Random seed of the neighbouring codes."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Find codes of targets (N, 3, R, R) in [-1, 1], and tune a generator for each, see `Refiner.refine`.

        Raises:
            UserError: The generator is in low precision.
        """
        trainable_weights(self.pivot.generator)  # fails at once, not after the projector, if it cannot be tuned
        found = self.pivot.refine(target, start, on_step)

        def tune(i: int, report: Report) -> Generator:
            return self._tuned(target[i : i + 1], found.w_plus[i : i + 1], report)

        return tune_each(tune, found, target.shape[-1], on_step)

    def _tuned(self, target: Tensor, pivot: Tensor, report: Report) -> Generator:
        generator, distance = self.pivot.generator, self.lpips.toward(target)
        weights, randomness = trainable_weights(generator), torch.Generator().manual_seed(self.seed)
        tuned, adam = reweighted(generator, weights), Adam(list(weights.values()), lr=self.lr)
        for step in range(self.steps + 1):
            image = tuned.synthesis(pivot, resolution=target.shape[-1])
            lpips = distance(image)
            loss = _error(image, target) + lpips
            report(loss)
            if step == self.steps or lpips <= self.enough:  # (1,): images are tuned one by one
                break
            # Another neighbouring code at each step.
            loss = loss + self._change_nearby(tuned, self.off(pivot, randomness), target.shape[-1])
            # A weight that does not enter this image has no gradient, hence allow_unused.
            adam.step(torch.autograd.grad(loss.sum(), adam.variables, allow_unused=True))
        return reweighted(generator, detached(weights))

    def off(self, pivot: Tensor, randomness: torch.Generator) -> Tensor:
        """Draw a neighbouring code (1, num_ws, w_dim) at distance `reach` from the pivot, towards a random code."""
        generator = self.pivot.generator
        return code_off(pivot, generator, reach=self.reach, truncation_psi=self.psi, randomness=randomness)

    def _change_nearby(self, tuned: Generator, w_plus: Tensor, resolution: int) -> Tensor:
        """Locality term: the distance between a code's images before and after tuning, (1,)."""
        with torch.no_grad():
            before = self.pivot.generator.synthesis(w_plus, resolution=resolution)
        after = tuned.synthesis(w_plus, resolution=resolution)
        return self.lambda_locality * (_error(after, before) + self.lpips.toward(before)(after))


def _error(image: Tensor, target: Tensor) -> Tensor:
    return (image - target).square().mean(dim=(1, 2, 3))
