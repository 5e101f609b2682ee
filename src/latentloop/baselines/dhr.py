"""Hybrid refinement as in DHR (Cao et al., arXiv:2301.12141), without face parsing."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.baselines.projector import Projector
from latentloop.baselines.tuning import Adam, Tell, detached, trainable_weights, tune_each
from latentloop.faces import FaceMask
from latentloop.features.lpips import Lpips
from latentloop.generators import DrawnBy, Generator, Seamed, reweighted, seamed
from latentloop.inversion import Inversion
from latentloop.inversion.iterator import OnStep
from latentloop.latents import mean_code

COARSE_STEPS = 40
"""Steps of the coarse inversion in W that tells what is in the generator's domain."""
SEAM = 128
"""Resolution of the features that are changed, or the nearest that there is."""
THRESHOLD = 0.7
"""LPIPS of a region at 1024 pixels below which the generator draws it well: the published one of skin."""
SEGMENTS = 14
"""Regions along a side over which LPIPS is averaged, about as large as one of 200 superpixels."""


@dataclass(frozen=True)
class HybridRefinement:
    """DHR-like: the generator's weights are tuned to what is in its domain, features in one layer replace the rest.

    In domain is what lies within the ellipse of the head and is drawn well by a code in W; DHR asks a face parser and
    superpixels for it. The code is the start, as in theirs, and stays. All other settings are those of the published
    program. Images are compared at the size of the targets; the paper's were of 1024 pixels.
    """

    coarse: Projector
    """Finds the codes in W; its generator is changed."""
    lpips: Lpips
    """Distance of images; the paper's uses AlexNet."""
    steps: int = 100
    """Steps of Adam on the features."""
    lr: float = 9e-2
    """Its step size."""
    weight_steps: int = 50
    """The first of them, which are also on the weights."""
    weight_lr: float = 1.5e-3
    """Step size on the weights."""
    threshold: float = THRESHOLD
    """LPIPS, averaged over a region, below which it is drawn well."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Change a generator for each of the targets (N, 3, R, R) in [-1, 1], as `Refiner.refine`; codes stay.

        Raises:
            UserError: The generator is in low precision.
        """
        generator = self.coarse.generator
        trainable_weights(generator)  # what cannot be tuned is said before anything runs
        found = self.coarse.refine(target, mean_code(generator, len(target)), on_step)
        masks = self.in_domain(found.image, target)

        def tune(i: int, tell: Tell) -> Generator:
            return self._tuned(target[i : i + 1], start[i : i + 1], masks[i : i + 1], tell)

        return tune_each(tune, replace(found, w_plus=start), target.shape[-1], on_step)

    @torch.no_grad()
    def in_domain(self, drawn: Tensor, target: Tensor) -> Tensor:
        """Tell what is in the generator's domain by what a code in W draws; 0 or 1, (N, 1, R, R)."""
        side = target.shape[-1]
        maps = self.lpips.maps_toward(target)(drawn)
        distance = torch.stack([F.interpolate(one, side, mode="bilinear") for one in maps]).sum(dim=0)
        region = 2 * (side // SEGMENTS // 2) + 1
        near = F.avg_pool2d(distance, region, stride=1, padding=region // 2, count_include_pad=False)
        places = (torch.arange(side).to(target) + 0.5) / side
        head = FaceMask().at(torch.stack(torch.meshgrid(places, places, indexing="xy"), dim=-1)) > 0.5
        return ((near < self.threshold) & head).to(target)

    def _tuned(self, target: Tensor, w_plus: Tensor, mask: Tensor, tell: Tell) -> Generator:
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
            tell(whole)
            if step == self.steps:
                break
            gradients = torch.autograd.grad(outside.sum(), [features], retain_graph=step < self.weight_steps)
            if step < self.weight_steps:
                of_weights.step(torch.autograd.grad(inside.sum(), of_weights.variables, allow_unused=True))
            of_features.step(gradients)
        return change.applied(reweighted(generator, detached(weights)))

    def _losses(self, target: Tensor, pixels: Tensor, places: Tensor) -> Callable[[Tensor], tuple[Tensor, ...]]:
        """Loss of an image (1, 3, R, R) as a whole, in the domain and outside, (1,) each; by masks of both sizes."""
        maps_of = self.lpips.maps_toward(target)

        def losses(image: Tensor) -> tuple[Tensor, ...]:
            # The sum over the colours, not their mean, is theirs.
            error, maps = (image - target).square().sum(dim=1, keepdim=True), maps_of(image)
            whole = error.mean(dim=(1, 2, 3)) / 3 + torch.stack([one.mean(dim=(1, 2, 3)) for one in maps]).sum(dim=0)
            return whole, _within(pixels, places, error, maps), _within(1 - pixels, 1 - places, error, maps)

        return losses


@dataclass(frozen=True)
class FeatureChange:
    """Features that replace a generator's own outside its domain, for every code."""

    seam: int
    """Resolution whose last layer they are of, a key of `Seamed.seams`."""
    features: Tensor
    """The features, (1, C, H, W)."""
    mask: Tensor
    """1 where the generator's own stay, 0 where these take their place, (1, 1, H, W)."""

    def draw(self, synthesis: Seamed, w_plus: Tensor, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) with them as RGB (N, 3, R, R)."""
        midway = synthesis.begin(w_plus, self.seam)
        mixed = self.mask * midway.features + (1 - self.mask) * self.features
        return synthesis.finish(replace(midway, features=mixed), w_plus, resolution=resolution)

    def applied(self, generator: Generator) -> Generator:
        """Make a generator draw with them."""
        change, synthesis = replace(self, features=self.features.detach()), seamed(generator)
        return DrawnBy(generator, lambda w_plus, *, resolution=None: change.draw(synthesis, w_plus, resolution))


def nearest_seam(synthesis: Seamed) -> int:
    """Find the seam of a synthesis network that is nearest to `SEAM`."""
    return min(synthesis.seams, key=lambda seam: abs(math.log2(seam / SEAM)))


def _within(pixels: Tensor, places: Tensor, error: Tensor, maps: Sequence[Tensor]) -> Tensor:
    """Mean squared error and LPIPS within masks, (1,)."""
    distances = [_mean(one, F.interpolate(places, (one.shape[2], one.shape[3]))) for one in maps]
    return _mean(error, pixels) + torch.stack(distances).sum(dim=0)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of values (1, 1, H, W) under a mask; 0 if it is empty."""
    return (values * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp_min(1e-6)
