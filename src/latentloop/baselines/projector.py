"""NVIDIA's projector (Karras et al., arXiv:1912.04958, appendix D), as it is in stylegan2-ada-pytorch; and into W+."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.baselines.refiner import Randomness, descend
from latentloop.features.lpips import Lpips
from latentloop.generators import Generator, noisy_synthesis, random_inputs
from latentloop.inversion import Inversion
from latentloop.inversion.config import Space
from latentloop.inversion.iterator import OnStep
from latentloop.latents import broadcast

SAMPLES = 10_000
"""Samples of z from which the spread of W is estimated."""
SEED = 123


@dataclass(frozen=True)
class Projector:
    """NVIDIA's projector: Adam on a style under falling random noise, and on noise maps that are kept noise-like.

    The last code is taken. In space w+, which theirs does not have, each layer's style gets noise of its own. Where a
    generator takes no noise maps, only the style is found. The maps help on the way and are not kept.
    """

    generator: Generator
    """Generator that synthesizes images from the codes."""
    lpips: Lpips
    """Distance of images; the paper's uses VGG16."""
    space: Space = "w"
    """w: one style for all layers; w+: one style a layer."""
    steps: int = 1000
    """Number of Adam's steps."""
    lr: float = 0.1
    """Largest step size, in units of W."""
    ramp_up: float = 0.05
    """Share of the steps, at the beginning, over which the step size grows."""
    ramp_down: float = 0.25
    """Share of the steps, at the end, over which the step size falls along a cosine."""
    shaking: float = 0.05
    """Size of the style's random noise at the start, in units of the spread of W."""
    shaken: float = 0.75
    """Share of the steps over which the style's random noise falls to 0."""
    lambda_noise: float = 1e5
    """Weight of the penalty on structure in the noise maps."""
    seed: int = 0
    """Random seed of the style's noise and of the noise maps."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Refine codes (N, num_ws, w_dim) of targets (N, 3, R, R) in [-1, 1], as `Refiner.refine`."""
        randomness = Randomness(self.seed, target)
        code = (start[:, :1] if self.space == "w" else start).detach().clone().requires_grad_()
        maps = self._maps(randomness)
        losses: list[Tensor] = []

        def after(step: int, loss: Tensor) -> None:
            losses.append(loss)
            for one in maps:
                _normalize(one)
            if on_step:
                on_step(step, loss)

        objective = self._objective(target, code, maps, randomness)
        descend([code, *maps], objective, steps=self.steps, lr_at=self.lr_at, after=after)
        with torch.no_grad():
            w_plus = code.detach().expand(-1, self.generator.num_ws, -1).clone()
            image = self.generator.synthesis(w_plus, resolution=target.shape[-1])
            losses.append(self.lpips(image, target))
        if on_step:
            on_step(self.steps, losses[-1])
        at = torch.full((len(target),), self.steps, device=target.device)
        return Inversion(w_plus, losses[-1], torch.stack(losses), at, lambda: image)

    def lr_at(self, step: int) -> float:
        """Return the step size of a step counted from 0."""
        done = step / self.steps
        down = min(1.0, (1 - done) / self.ramp_down) if self.ramp_down else 1.0
        up = min(1.0, done / self.ramp_up) if self.ramp_up else 1.0
        return self.lr * up * (0.5 - 0.5 * math.cos(math.pi * down))

    def spread(self) -> float:
        """Estimate the root of the mean squared distance of W from its mean."""
        z, labels = random_inputs(self.generator, SAMPLES, torch.Generator().manual_seed(SEED))
        with torch.no_grad():
            w = broadcast(self.generator.mapping(z, labels), self.generator.num_ws)[:, 0]
        return (w - w.mean(dim=0)).square().sum(dim=1).mean().sqrt().item()

    def _objective(
        self, target: Tensor, code: Tensor, maps: list[Tensor], randomness: Randomness
    ) -> Callable[[int], Tensor]:
        distance, spread = self.lpips.toward(target), self.spread()

        def loss(step: int) -> Tensor:
            left = max(0.0, 1 - step / (self.shaken * self.steps)) ** 2
            shaking = spread * self.shaking * left * randomness.normal(*code.shape[1:])
            w_plus = (code + shaking).expand(-1, self.generator.num_ws, -1)
            regular = [structure(one) for one in maps]
            image = self._drawn(w_plus, maps, target.shape[-1])
            return distance(image) + self.lambda_noise * torch.stack([target.new_zeros(len(target)), *regular]).sum(0)

        return loss

    def _drawn(self, w_plus: Tensor, maps: list[Tensor], resolution: int) -> Tensor:
        synthesis = noisy_synthesis(self.generator)
        if synthesis is None:
            return self.generator.synthesis(w_plus, resolution=resolution)
        image: Tensor = synthesis(w_plus, resolution=resolution, noise=maps)
        return image

    def _maps(self, randomness: Randomness) -> list[Tensor]:
        """Noise maps of each layer, (N, 1, H, W), if the generator takes any."""
        synthesis = noisy_synthesis(self.generator)
        shapes = synthesis.noise_shapes if synthesis else ()
        return [randomness.normal(1, *shape).requires_grad_() for shape in shapes]


def structure(noise: Tensor) -> Tensor:
    """Measure structure in noise maps (N, 1, H, W): squared correlations of neighbours at all sizes down to 8; (N,)."""
    total = noise.new_zeros(len(noise))
    while True:
        for axis in (2, 3):
            total = total + (noise * noise.roll(1, dims=axis)).mean(dim=(1, 2, 3)).square()
        if noise.shape[-1] <= 8:
            return total
        noise = F.avg_pool2d(noise, 2)


@torch.no_grad()
def _normalize(noise: Tensor) -> None:
    """Return each map (N, 1, H, W) mean 0 and mean square 1."""
    noise.sub_(noise.mean(dim=(1, 2, 3), keepdim=True))
    noise.mul_(noise.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt())
