"""Domain-specific hybrid refinement after DHR (Cao et al., arXiv:2301.12141), without face parsing."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.baselines.projector import Projector
from latentloop.baselines.steps import FEATURES, WEIGHTS
from latentloop.baselines.tuning import Adam, Report, detached, trainable_weights, tune_each
from latentloop.faces import FaceMask
from latentloop.features.lpips import Lpips
from latentloop.generators import DrawnBy, Generator, Seamed, reweighted, seamed
from latentloop.inversion import Inversion
from latentloop.inversion.iterator import OnStep
from latentloop.latents import mean_code

SEAM = 128
"""Resolution of the features that are changed, or the nearest one that the generator has."""
THRESHOLD = 0.7
"""LPIPS of a region at 1024 pixels below which it counts as in domain: the published threshold of skin."""
SEGMENTS = 14
"""Regions per side over which LPIPS is averaged: 14 x 14 is about the published number of 200 superpixels."""


@dataclass(frozen=True)
class HybridRefinement:
    """A DHR-like method: weights are tuned to in-domain regions, and features of one layer replace the rest.

    A region is in domain if it lies within an ellipse around the head and a code in W reconstructs it well; DHR uses a
    face parser and superpixels instead. The start's code is kept, as in DHR, and all other settings are those of the
    published code. Images are compared at the size of the targets, in the paper at 1024 pixels.
    """

    coarse: Projector
    """Method that finds the codes in W, which tell the domain; its generator is the one that is changed."""
    lpips: Lpips
    """LPIPS distance; the paper uses AlexNet."""
    steps: int = FEATURES
    """Number of Adam steps on the features."""
    lr: float = 9e-2
    """Adam's step size for the features."""
    weight_steps: int = WEIGHTS
    """Number of these steps, at the beginning, that also change the weights."""
    weight_lr: float = 1.5e-3
    """Adam's step size for the weights."""
    threshold: float = THRESHOLD
    """LPIPS, averaged over a region, below which the region counts as in domain."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Tune a generator for each of the targets (N, 3, R, R) in [-1, 1], see `Refiner.refine`; codes stay.

        Raises:
            UserError: The generator is in low precision.
        """
        generator = self.coarse.generator
        trainable_weights(generator)  # fails at once, not after the coarse inversion, if it cannot be tuned
        found = self.coarse.refine(target, mean_code(generator, len(target)), on_step)
        masks = self.in_domain(found.image, target)

        def tune(i: int, report: Report) -> Generator:
            return self._tuned(target[i : i + 1], start[i : i + 1], masks[i : i + 1], report)

        return tune_each(tune, replace(found, w_plus=start), target.shape[-1], on_step)

    @torch.no_grad()
    def in_domain(self, drawn: Tensor, target: Tensor) -> Tensor:
        """Estimate the in-domain mask, (N, 1, R, R) of 0 and 1, from the image of a code in W.

        Args:
            drawn: Images of codes in W, (N, 3, R, R) in [-1, 1].
            target: Targets of the same shape and range.
        """
        side = target.shape[-1]
        maps = self.lpips.maps_toward(target)(drawn)  # (N, 1, h, w) for each layer
        distance = torch.stack([F.interpolate(one, side, mode="bilinear") for one in maps]).sum(dim=0)
        region = 2 * (side // SEGMENTS // 2) + 1  # odd, so that windows are centred on pixels
        # A moving average takes the place of DHR's means over superpixels.
        near = F.avg_pool2d(distance, region, stride=1, padding=region // 2, count_include_pad=False)
        places = (torch.arange(side).to(target) + 0.5) / side
        head = FaceMask().at(torch.stack(torch.meshgrid(places, places, indexing="xy"), dim=-1)) > 0.5
        return ((near < self.threshold) & head).to(target)

    def _tuned(self, target: Tensor, w_plus: Tensor, mask: Tensor, report: Report) -> Generator:
        generator, size = self.coarse.generator, target.shape[-1]
        seam = nearest_seam(seamed(generator))
        weights = trainable_weights(generator)
        tuned = reweighted(generator, weights)
        with torch.no_grad():
            features = seamed(generator).begin(w_plus, seam).features.clone()
        places = F.adaptive_avg_pool2d(mask, (features.shape[2], features.shape[3]))
        change = FeatureChange(seam, features.requires_grad_(), places)
        losses_of = self._losses(target, mask, places)
        of_features, of_weights = Adam([features], lr=self.lr), Adam(list(weights.values()), lr=self.weight_lr)
        for step in range(self.steps + 1):
            whole, inside, outside = losses_of(change.draw(seamed(tuned), w_plus, size))
            report(whole)
            if step == self.steps:
                break
            # Features learn from what is out of domain, weights from what is in domain: two gradients of one image.
            gradients = torch.autograd.grad(outside.sum(), [features], retain_graph=step < self.weight_steps)
            if step < self.weight_steps:
                of_weights.step(torch.autograd.grad(inside.sum(), of_weights.variables, allow_unused=True))
            of_features.step(gradients)
        return change.applied(reweighted(generator, detached(weights)))

    def _losses(self, target: Tensor, pixels: Tensor, places: Tensor) -> Callable[[Tensor], tuple[Tensor, ...]]:
        """Loss of an image (1, 3, R, R) as a whole, inside and outside the domain, (1,) each.

        The mask comes at the image's size (`pixels`) and at that of the features (`places`).
        """
        maps_of = self.lpips.maps_toward(target)

        def losses(image: Tensor) -> tuple[Tensor, ...]:
            # As in the published code, the squared error is summed over the colours, not averaged.
            error, maps = (image - target).square().sum(dim=1, keepdim=True), maps_of(image)
            whole = error.mean(dim=(1, 2, 3)) / 3 + torch.stack([one.mean(dim=(1, 2, 3)) for one in maps]).sum(dim=0)
            return whole, _within(pixels, places, error, maps), _within(1 - pixels, 1 - places, error, maps)

        return losses


@dataclass(frozen=True)
class FeatureChange:
    """Features that replace a generator's own outside the in-domain mask, whatever the code."""

    seam: int
    """Seam at which the features are replaced, a key of `Seamed.seams`."""
    features: Tensor
    """Replacement features, (1, C, H, W)."""
    mask: Tensor
    """In-domain mask, (1, 1, H, W): 1 keeps the generator's own features, 0 replaces them."""

    def draw(self, synthesis: Seamed, w_plus: Tensor, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) with the replaced features, as RGB (N, 3, R, R)."""
        midway = synthesis.begin(w_plus, self.seam)
        mixed = self.mask * midway.features + (1 - self.mask) * self.features
        return synthesis.finish(replace(midway, features=mixed), w_plus, resolution=resolution)

    def applied(self, generator: Generator) -> Generator:
        """Wrap a generator to draw with the replaced features."""
        change, synthesis = replace(self, features=self.features.detach()), seamed(generator)
        return DrawnBy(generator, lambda w_plus, *, resolution=None: change.draw(synthesis, w_plus, resolution))


def nearest_seam(synthesis: Seamed) -> int:
    """Return the seam of a synthesis network that is nearest to `SEAM`, in ratio."""
    return min(synthesis.seams, key=lambda seam: abs(math.log2(seam / SEAM)))


def _within(pixels: Tensor, places: Tensor, error: Tensor, maps: Sequence[Tensor]) -> Tensor:
    """Squared error plus LPIPS within a mask, (1,)."""
    distances = [_mean(one, F.interpolate(places, (one.shape[2], one.shape[3]))) for one in maps]
    return _mean(error, pixels) + torch.stack(distances).sum(dim=0)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of values (1, 1, H, W) within a mask; 0 if the mask is empty."""
    return (values * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp_min(1e-6)  # against 0 / 0
