"""Image2StyleGAN (Abdal et al., arXiv:1904.03189) and Image2StyleGAN++ (arXiv:1911.11544)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from latentloop.baselines.networks import FeaturesOf, feature_loss
from latentloop.baselines.refiner import Randomness, descend
from latentloop.errors import UserError
from latentloop.generators import Generator, noisy_synthesis, stylegan1, stylegan2
from latentloop.inversion import Inversion, IteratorConfig, LatentIterator
from latentloop.inversion.iterator import OnStep
from latentloop.losses import LossToward, weighted_sum

STEPS, LR = 5000, 0.01
NOISE_STEPS, NOISE_LR = 3000, 5.0


@dataclass(frozen=True)
class Image2StyleGAN:
    """Adam on W+, with the mean squared errors of pixels and of features.

    The start is the mean latent, both weights are 1, and the best code is kept. Images are compared at the size of the
    targets; the paper's were of 1024 pixels, and of 256 for the features.
    """

    generator: Generator
    features: FeaturesOf
    steps: int = STEPS
    lr: float = LR
    mask: Tensor | None = None
    """Where pixels count, (N or 1, 1, R, R) in [0, 1]; None for everywhere."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """As `Refiner.refine`: targets (N, 3, R, R) in [-1, 1], codes (N, num_ws, w_dim)."""
        config = IteratorConfig(self.steps, optimizer="adam", lr=self.lr, ramp_up=0.0, ramp_down=0.0)
        loss = weighted_sum((1.0, masked_error(self.mask)), (1.0, feature_loss(self.features, self.mask)))
        return LatentIterator(self.generator, loss, config).refine(target, start, on_step)


@dataclass(frozen=True)
class Image2StyleGANPlusPlus:
    """Image2StyleGAN, then Adam on the noise maps alone, with the error of the pixels; both where the mask is.

    The maps take in what styles cannot draw; a code found so is of use with its maps only.
    """

    styles: Image2StyleGAN
    steps: int = NOISE_STEPS
    lr: float = NOISE_LR
    seed: int = 0
    """Of the maps at the start."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """As `Refiner.refine`; the result's noise has the maps of each layer, (N, 1, H, W).

        Raises:
            UserError: The generator takes no noise maps.
        """
        synthesis, size = noisy(self.styles.generator), target.shape[-1]
        found = self.styles.refine(target, start, on_step)
        randomness = Randomness(self.seed, target)
        maps = [randomness.normal(1, *shape).requires_grad_() for shape in synthesis.noise_shapes]
        error = masked_error(self.styles.mask)(target)
        losses: list[Tensor] = []

        def after(step: int, loss: Tensor) -> None:
            losses.append(loss)
            if on_step:
                on_step(self.styles.steps + step + 1, loss)

        descend(
            maps,
            lambda _: error(synthesis(found.w_plus, resolution=size, noise=maps)),
            steps=self.steps,
            lr_at=lambda _: self.lr,
            after=after,
        )
        noise = tuple(one.detach() for one in maps)
        with torch.no_grad():
            image = synthesis(found.w_plus, resolution=size, noise=noise)
        all_losses = torch.stack([*found.losses, *losses])
        return replace(found, loss=error(image), losses=all_losses, draw=lambda: image, noise=noise)


def noisy(generator: Generator) -> stylegan1.Synthesis | stylegan2.Synthesis:
    """The part of a generator that draws with noise maps.

    Raises:
        UserError: It takes none.
    """
    synthesis = noisy_synthesis(generator)
    if synthesis is None:
        raise UserError(f"{generator.name} takes no noise maps; of Image2StyleGAN++, Image2StyleGAN is left there")
    return synthesis


def masked_error(mask: Tensor | None) -> LossToward:
    """Mean squared error of images (N, 3, R, R) where a mask (N or 1, 1, R, R) is, (N,)."""

    def toward(target: Tensor) -> Callable[[Tensor], Tensor]:
        def loss(image: Tensor) -> Tensor:
            difference = (image - target).square()
            return (difference if mask is None else mask * difference).mean(dim=(1, 2, 3))

        return loss

    return toward
