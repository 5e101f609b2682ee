"""Refinement of a generator's features at an intermediate resolution, for what no code can draw."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from latentloop.generators import Generator, Midway, Refinement, Residual, scaled, seamed, weights_fingerprint
from latentloop.inversion.beyond import Comparison, Least, Refined, check_loss, check_refined, ramp
from latentloop.inversion.feature_encoder import FeatureEncoder
from latentloop.inversion.iterator import OnImage, OnStep
from latentloop.optim.adam import State, adam_step

SEAM = 64
"""Resolution of the changed features, in generators that draw at four times that or more. A coarser change comes less
close to the photo; a finer one stays behind when an edit moves the face."""
BETAS, EPS = (0.9, 0.95), 1e-12
"""Adam's decay rates, for a run far shorter than usual, and its epsilon: gradients of a mean over all pixels with
respect to one of two million numbers are not far above the usual 1e-8."""
SMALLEST = 1e-8
"""Lower bound on a channel's standard deviation, against division by zero."""


@dataclass(frozen=True)
class FeatureRefiner:
    """Optimizes a change of the generator's features at one seam; each step runs only the layers after it.

    The Feature-Style Encoder (Yao et al., arXiv:2202.02183) predicts such features, and BDInvert (Kang et al.,
    arXiv:2108.08998) optimizes them; here they are optimized from a code that is already close, and from a prediction
    if there is an encoder for the generator.
    """

    generator: Generator
    """Generator that is refined; its weights and the codes stay as they are."""
    comparison: Comparison
    """Loss of images toward the targets."""
    steps: int
    """Number of Adam steps."""
    lr: float = 0.05
    """Step size, in standard deviations of each channel's features."""
    lambda_small: float = 0.01
    """Weight of the mean square of the change, in the same units."""
    encoder: FeatureEncoder | None = None
    """Network that predicts the change to start from; None starts from none."""

    def refine(
        self,
        target: Tensor,
        w_plus: Tensor,
        on_step: OnStep | None = None,
        on_image: OnImage | None = None,
        *,
        start: Sequence[Residual] = (),
    ) -> Refined:
        """Optimize the change of features for each code, see `BeyondRefiner.refine`.

        Args:
            target: Images (N, 3, S, S) in [-1, 1].
            w_plus: Codes of the targets, (N, num_ws, w_dim).
            on_step: Called at the start and after each step.
            on_image: Called before `on_step` with the current images.
            start: Residual to start from for each code, at the same seam, such as those of a video's previous frame;
                empty to start from the encoder's prediction, or from zero.

        Raises:
            NotFiniteError: A loss is not finite.
            ValueError: The shapes do not fit each other or the generator.
        """
        check_refined(target, w_plus, self.generator)
        if start and len(start) != len(w_plus):
            raise ValueError(f"start must have one residual for each of {len(w_plus)} codes, got {len(start)}")
        with torch.inference_mode(mode=False), torch.enable_grad():  # the caller may have switched gradients off
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
        if self.encoder and self.encoder.config.seam != seam:
            raise ValueError(f"the encoder changes features at {self.encoder.config.seam}, not at {seam}")
        compared, state = self.comparison.toward(target), State()
        with torch.no_grad():
            midway = synthesis.begin(w_plus, seam)
            # (N, C, 1, 1). The variable is in units of each channel's spread, so that one step size suits all channels.
            scale = midway.features.std(dim=(2, 3), keepdim=True)
        change = self._begun(start, scale, target, w_plus, midway)  # (N, C, H, W), in units of `scale`
        best, least, losses = change, Least.unseen(target), list[Tensor]()
        for step in range(self.steps + 1):
            size = compared.size(step / max(self.steps, 1))
            variable = change.detach().requires_grad_(step < self.steps)
            with torch.set_grad_enabled(step < self.steps):
                changed = replace(midway, features=midway.features + scale * variable)
                image = synthesis.finish(changed, w_plus, resolution=size)  # the layers before the seam run only once
                loss = compared.whole(image)
                total = loss + compared.tile(image, step) + self.lambda_small * variable.square().mean(dim=(1, 2, 3))
            check_loss(total, step)
            losses.append(loss.detach())
            best = torch.where(least.lower(losses[-1], size)[:, None, None, None], change, best)
            if on_image:
                on_image(image.detach())
            if on_step:
                on_step(step, least.loss)
            if step < self.steps:
                # Summed, not averaged: an image's path must not depend on the rest of its batch.
                (gradient,) = torch.autograd.grad(total.sum(), variable)
                change = change.clone()
                adam_step(change, gradient, state, lr=self.lr * ramp(step + 1, self.steps), betas=BETAS, eps=EPS)
        residuals = [Residual(seam, one, code) for one, code in zip(scale * best, w_plus, strict=True)]
        weights = weights_fingerprint(self.generator)
        refinements = [Refinement(self.generator.name, weights, residual).stored() for residual in residuals]
        return Refined(tuple(refinements), torch.stack(losses))

    @torch.no_grad()
    def _begun(
        self, start: Sequence[Residual], scale: Tensor, target: Tensor, w_plus: Tensor, midway: Midway
    ) -> Tensor:
        """Initial change of features (N, C, H, W), in standard deviations of each channel."""
        if start:
            return torch.stack([one.features for one in start]).to(midway.features) / scale.clamp_min(SMALLEST)
        if self.encoder:
            return self.encoder.change(scaled(self.generator), target, w_plus, midway)
        return torch.zeros_like(midway.features)


def seam_of(generator: Generator) -> int:
    """Choose the seam at which a generator's features are changed: 64, or a quarter of its resolution if smaller."""
    seams = sorted(seamed(generator).seams)
    return max((seam for seam in seams if seam <= min(SEAM, generator.resolution // 4)), default=seams[0])
