"""NVIDIA's projector (Karras et al., arXiv:1912.04958, appendix D) as in stylegan2-ada-pytorch, also into W+."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.baselines.refiner import Randomness, descend
from latentloop.baselines.steps import PROJECTOR
from latentloop.features.lpips import Lpips
from latentloop.generators import Generator, noisy_synthesis, random_inputs
from latentloop.inversion import Inversion
from latentloop.inversion.config import Space
from latentloop.inversion.iterator import OnStep
from latentloop.latents import broadcast

SAMPLES = 10_000
"""Samples of z from which the spread of W is estimated."""
SEED = 123
"""Seed of these samples, as in stylegan2-ada-pytorch."""


@dataclass(frozen=True)
class Projector:
    """NVIDIA's projector: Adam on a style with decaying random noise, and on regularised noise maps.

    The last code is returned. In space w+, which the original lacks, each layer's style gets its own noise. For a
    generator without noise maps only the style is optimized. The maps help the optimization and are not kept.
    """

    generator: Generator
    """Generator that is inverted."""
    lpips: Lpips
    """LPIPS distance; the paper uses VGG16."""
    space: Space = "w"
    """w: one style for all layers. w+: one style per layer."""
    steps: int = PROJECTOR
    """Number of Adam steps."""
    lr: float = 0.1
    """Largest step size, in units of W."""
    ramp_up: float = 0.05
    """Share of the steps, at the beginning, over which the step size grows linearly."""
    ramp_down: float = 0.25
    """Share of the steps, at the end, over which the step size falls along a cosine."""
    shaking: float = 0.05
    """Size of the noise added to the style at the start, in units of the spread of W."""
    shaken: float = 0.75
    """Share of the steps over which this noise falls to 0."""
    lambda_noise: float = 1e5
    """Weight of the noise regularisation, which penalises structure in the noise maps."""
    seed: int = 0
    """Random seed of the style's noise and of the noise maps."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Optimize codes (N, num_ws, w_dim) of targets (N, 3, R, R) in [-1, 1], see `Refiner.refine`."""
        randomness = Randomness(self.seed, target)
        code = (start[:, :1] if self.space == "w" else start).detach().clone().requires_grad_()
        maps = self._maps(randomness)
        losses: list[Tensor] = []

        def after(step: int, loss: Tensor) -> None:
            losses.append(loss)
            for one in maps:
                _normalize(one)  # after every step: optimized noise must stay of mean 0 and variance 1
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
        """Compute the step size of a step counted from 0."""
        done = step / self.steps
        down = min(1.0, (1 - done) / self.ramp_down) if self.ramp_down else 1.0
        up = min(1.0, done / self.ramp_up) if self.ramp_up else 1.0
        return self.lr * up * (0.5 - 0.5 * math.cos(math.pi * down))

    def spread(self) -> float:
        """Estimate the spread of W: the root mean square distance of w from its mean, over all of its numbers."""
        z, labels = random_inputs(self.generator, SAMPLES, torch.Generator().manual_seed(SEED))
        with torch.no_grad():
            w = broadcast(self.generator.mapping(z, labels), self.generator.num_ws)[:, 0]
        return (w - w.mean(dim=0)).square().sum(dim=1).mean().sqrt().item()

    def _objective(
        self, target: Tensor, code: Tensor, maps: list[Tensor], randomness: Randomness
    ) -> Callable[[int], Tensor]:
        distance, spread = self.lpips.toward(target), self.spread()

        def loss(step: int) -> Tensor:
            left = max(0.0, 1 - step / (self.shaken * self.steps)) ** 2  # a quadratic decay, 1 to 0
            # (N, num_ws or 1, w_dim). Noise on the code explores early, and has faded when the details are fitted.
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
        """Initial noise maps of all layers, (N, 1, H, W) each; empty if the generator takes none."""
        synthesis = noisy_synthesis(self.generator)
        shapes = synthesis.noise_shapes if synthesis else ()
        return [randomness.normal(1, *shape).requires_grad_() for shape in shapes]


def structure(noise: Tensor) -> Tensor:
    """Compute the noise regularisation of noise maps (N, 1, H, W), (N,) (Karras et al., arXiv:1912.04958, appendix D).

    It sums the squared correlations of horizontal and vertical neighbours over a pyramid down to 8 pixels; it is near 0
    for white noise.
    """
    total = noise.new_zeros(len(noise))
    while True:
        for axis in (2, 3):
            # Autocorrelation at a shift of one pixel; roll wraps around the border, as in the original.
            total = total + (noise * noise.roll(1, dims=axis)).mean(dim=(1, 2, 3)).square()
        if noise.shape[-1] <= 8:
            return total
        noise = F.avg_pool2d(noise, 2)


@torch.no_grad()
def _normalize(noise: Tensor) -> None:
    """Normalise each map of (N, 1, H, W), in place, to mean 0 and mean square 1."""
    noise.sub_(noise.mean(dim=(1, 2, 3), keepdim=True))
    noise.mul_(noise.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt())
