"""Refinement of features: what no code draws is added in the middle of the generator."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from latentloop.generators import Generator, Refinement, Residual, seamed, weights_fingerprint
from latentloop.inversion.beyond import Comparison, Refined, check_loss, check_refined, ramp
from latentloop.inversion.iterator import OnImage, OnStep
from latentloop.optim.adam import State, adam_step

SEAM = 64
"""Resolution of the features that are changed, of generators that draw four times as much or more: a coarser change
comes less close, a finer one stays behind where an edit moves the face."""
BETAS, EPS = (0.9, 0.95), 1e-12
"""Decay rates of Adam's means: a run is far shorter than the usual ones. The gradient of a mean over all pixels in one
of two million numbers is not far above the usual 1e-8."""
SMALLEST = 1e-8
"""Least standard deviation that changes are divided by."""


@dataclass(frozen=True)
class FeatureRefiner:
    """Finds a change of the generator's features at one seam; only the layers after it are drawn in each step.

    After the Feature-Style Encoder (Yao et al., arXiv:2202.02183) and BDInvert (Kang et al., arXiv:2108.08998), but by
    gradient descent from a code that is near already.
    """

    generator: Generator
    """The generator that is refined; its weights and the codes stay as they are."""
    comparison: Comparison
    steps: int
    lr: float = 0.05
    """Step size, in standard deviations of each channel."""
    lambda_small: float = 0.01
    """Weight of the mean square of the change, in the same units."""

    def refine(
        self,
        target: Tensor,
        w_plus: Tensor,
        on_step: OnStep | None = None,
        on_image: OnImage | None = None,
        *,
        start: Sequence[Residual] = (),
    ) -> Refined:
        """Find the change for each code, see `BeyondRefiner.refine`.

        Args:
            target: Images, see there.
            w_plus: Their codes.
            on_step: Called after each step.
            on_image: Called before that.
            start: What each code's change begins with, at the same seam, such as that of a video's frame before; empty
                to begin with none.

        Raises:
            ValueError: The shapes do not fit.
        """
        check_refined(target, w_plus, self.generator)
        if start and len(start) != len(w_plus):
            raise ValueError(f"{len(w_plus)} codes begin with {len(start)} residuals")
        with torch.inference_mode(mode=False), torch.enable_grad():  # whatever the caller has switched off
            return self._refined(target.clone(), w_plus.detach().clone(), on_step, on_image, start)

    def _refined(
        self,
        target: Tensor,
        w_plus: Tensor,
        on_step: OnStep | None,
        on_image: OnImage | None,
        start: Sequence[Residual],
    ) -> Refined:
        synthesis, seam = seamed(self.generator), seam_of(self.generator)
        compared, state = self.comparison.toward(target), State()
        with torch.no_grad():
            midway = synthesis.begin(w_plus, seam)
            scale = midway.features.std(dim=(2, 3), keepdim=True)
        change = _begun(start, scale, midway.features)
        best = change
        never, losses = target.new_full((len(target),), torch.inf), []
        least, size = never, compared.size(0)
        for step in range(self.steps + 1):
            if (wanted := compared.size(step / max(self.steps, 1))) != size:
                least, size = never, wanted  # what is drawn otherwise does not compare
            variable = change.detach().requires_grad_(step < self.steps)
            with torch.set_grad_enabled(step < self.steps):
                changed = replace(midway, features=midway.features + scale * variable)
                image = synthesis.finish(changed, w_plus, resolution=size)
                loss = compared.whole(image)
                total = loss + compared.tile(image, step) + self.lambda_small * variable.square().mean(dim=(1, 2, 3))
            check_loss(total, step)
            losses.append(loss.detach())
            better = losses[-1] < least
            best = torch.where(better[:, None, None, None], change, best)
            least = torch.where(better, losses[-1], least)
            if on_image:
                on_image(image.detach())
            if on_step:
                on_step(step, least)
            if step < self.steps:
                # Summed, not averaged: an image's path must not depend on the rest of its batch.
                (gradient,) = torch.autograd.grad(total.sum(), variable)
                change = change.clone()
                adam_step(change, gradient, state, lr=self.lr * ramp(step + 1, self.steps), betas=BETAS, eps=EPS)
        residuals = [Residual(seam, one, code) for one, code in zip(scale * best, w_plus, strict=True)]
        weights = weights_fingerprint(self.generator)
        refinements = [Refinement(self.generator.name, weights, residual).stored() for residual in residuals]
        return Refined(tuple(refinements), torch.stack(losses))


def _begun(start: Sequence[Residual], scale: Tensor, features: Tensor) -> Tensor:
    """What the changes of features (N, C, H, W) begin with, in standard deviations of each channel."""
    if not start:
        return torch.zeros_like(features)
    return torch.stack([one.features for one in start]).to(features) / scale.clamp_min(SMALLEST)


def seam_of(generator: Generator) -> int:
    """Choose the seam at which a generator's features are changed: at 64, or a quarter of what it draws."""
    seams = sorted(seamed(generator).seams)
    return max((seam for seam in seams if seam <= min(SEAM, generator.resolution // 4)), default=seams[0])
