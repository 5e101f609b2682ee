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
    """Image2StyleGAN: Adam on W+, with the mean squared errors of pixels and of features.

    The start is the mean latent, both weights are 1, and the best code is kept. Images are compared at the size of the
    targets; the paper's were of 1024 pixels, and of 256 for the features.
    """

    generator: Generator
    """Generator that synthesizes images from the codes."""
    features: FeaturesOf
    """Gives the feature maps that are compared."""
    steps: int = STEPS
    """Number of Adam's steps."""
    lr: float = LR
    """Adam's step size, in units of W."""
    mask: Tensor | None = None
    """Weight of each pixel, (N or 1, 1, R, R) in [0, 1]; None for 1 everywhere."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Refine codes (N, num_ws, w_dim) of targets (N, 3, R, R) in [-1, 1], as `Refiner.refine`."""
        config = IteratorConfig(self.steps, optimizer="adam", lr=self.lr, ramp_up=0.0, ramp_down=0.0)
        loss = weighted_sum((1.0, masked_error(self.mask)), (1.0, feature_loss(self.features, self.mask)))
        return LatentIterator(self.generator, loss, config).refine(target, start, on_step)


@dataclass(frozen=True)
class Image2StyleGANPlusPlus:
    """Image2StyleGAN++: first Image2StyleGAN, then Adam on the noise maps alone, with the masked error of the pixels.

    The maps take in what styles cannot draw; a code found so is of use with its maps only.
    """

    styles: Image2StyleGAN
    """Finds the styles; its generator and mask are used for the noise maps, too."""
    steps: int = NOISE_STEPS
    """Number of Adam's steps on the noise maps."""
    lr: float = NOISE_LR
    """Adam's step size for the noise maps, whose numbers begin about 1 in size."""
    seed: int = 0
    """Random seed of the noise maps at the start."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Refine codes and noise maps, as `Refiner.refine`; the result's noise has each layer's map, (N, 1, H, W).

        Raises:
            UserError: The generator takes no noise maps.
        """
        synthesis, size = noisy(self.styles.generator), target.shape[-1]
        inversion = self.styles.refine(target, start, on_step)
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
            lambda _: error(synthesis(inversion.w_plus, resolution=size, noise=maps)),
            steps=self.steps,
            lr_at=lambda _: self.lr,
            after=after,
        )
        noise = tuple(one.detach() for one in maps)
        with torch.no_grad():
            image = synthesis(inversion.w_plus, resolution=size, noise=noise)
        all_losses = torch.stack([*inversion.losses, *losses])
        return replace(inversion, loss=error(image), losses=all_losses, draw=lambda: image, noise=noise)


def noisy(generator: Generator) -> stylegan1.Synthesis | stylegan2.Synthesis:
    """Return the synthesis network of a generator that takes noise maps.

    Raises:
        UserError: The generator takes no noise maps.
    """
    synthesis = noisy_synthesis(generator)
    if synthesis is None:
        raise UserError(f"{generator.name} takes no noise maps; of Image2StyleGAN++, Image2StyleGAN is left there")
    return synthesis


def masked_error(mask: Tensor | None) -> LossToward:
    """Make the mean squared error of images (N, 3, R, R) under a mask (N or 1, 1, R, R); (N,)."""

    def toward(target: Tensor) -> Callable[[Tensor], Tensor]:
        def loss(image: Tensor) -> Tensor:
            difference = (image - target).square()
            return (difference if mask is None else mask * difference).mean(dim=(1, 2, 3))

        return loss

    return toward
