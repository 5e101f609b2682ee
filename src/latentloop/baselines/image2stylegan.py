"""Image2StyleGAN (Abdal et al., arXiv:1904.03189) and Image2StyleGAN++ (arXiv:1911.11544)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from latentloop.baselines.networks import FeaturesOf, feature_loss
from latentloop.baselines.refiner import Randomness, descend
from latentloop.baselines.steps import NOISE, STYLES
from latentloop.errors import UserError
from latentloop.generators import Generator, noisy_synthesis, stylegan1, stylegan2
from latentloop.inversion import Inversion, IteratorConfig, LatentIterator
from latentloop.inversion.iterator import OnStep
from latentloop.losses import LossToward, weighted_sum

LR = 0.01
"""Published step size of Image2StyleGAN."""
NOISE_LR = 5.0
"""Step size of Image2StyleGAN++ on the noise maps."""


@dataclass(frozen=True)
class Image2StyleGAN:
    """Image2StyleGAN (Abdal et al., arXiv:1904.03189): Adam on W+ with squared errors of pixels and of VGG features.

    The start is the mean latent, both weights are 1, and the best code is kept. Images are compared at the size of the
    targets; the paper compares pixels at 1024 and features at 256.
    """

    generator: Generator
    """Generator that is inverted."""
    features: FeaturesOf
    """Function that computes the feature maps to compare."""
    steps: int = STYLES
    """Number of Adam steps."""
    lr: float = LR
    """Adam's step size, in units of W."""
    mask: Tensor | None = None
    """Weight of each pixel, (N or 1, 1, R, R) in [0, 1]; None for 1 everywhere."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Optimize codes (N, num_ws, w_dim) of targets (N, 3, R, R) in [-1, 1], see `Refiner.refine`."""
        # Without ramps: the paper's step size is constant.
        config = IteratorConfig(self.steps, optimizer="adam", lr=self.lr, ramp_up=0.0, ramp_down=0.0)
        loss = weighted_sum((1.0, masked_error(self.mask)), (1.0, feature_loss(self.features, self.mask)))
        return LatentIterator(self.generator, loss, config).refine(target, start, on_step)


@dataclass(frozen=True)
class Image2StyleGANPlusPlus:
    """Image2StyleGAN++ (Abdal et al., arXiv:1911.11544): Image2StyleGAN, then Adam on the noise maps alone.

    The second stage minimises the masked squared error. The maps absorb what styles cannot draw, so the resulting code
    is only useful with its maps.
    """

    styles: Image2StyleGAN
    """Method of the first stage; its generator and mask are used in the second stage, too."""
    steps: int = NOISE
    """Number of Adam steps on the noise maps."""
    lr: float = NOISE_LR
    """Adam's step size for the noise maps, which start as standard normal numbers."""
    seed: int = 0
    """Random seed of the initial noise maps."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Optimize codes and noise maps, see `Refiner.refine`; the result's `noise` holds a map (N, 1, H, W) per layer.

        Raises:
            UserError: The generator takes no noise maps.
        """
        synthesis, size = noisy(self.styles.generator), target.shape[-1]
        inversion = self.styles.refine(target, start, on_step)
        randomness = Randomness(self.seed, target)
        maps = [randomness.normal(1, *shape).requires_grad_() for shape in synthesis.noise_shapes]  # each (N, 1, H, W)
        error = masked_error(self.styles.mask)(target)
        losses: list[Tensor] = []

        def after(step: int, loss: Tensor) -> None:
            losses.append(loss)
            if on_step:
                on_step(self.styles.steps + step + 1, loss)

        descend(
            maps,
            # The code is fixed here, and there is no perceptual term: noise fits single pixels.
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
        raise UserError(f"{generator.name} takes no noise maps; use Image2StyleGAN instead of Image2StyleGAN++")
    return synthesis


def masked_error(mask: Tensor | None) -> LossToward:
    """Make the mean squared error of images (N, 3, R, R), (N,), weighted by a mask (N or 1, 1, R, R)."""

    def toward(target: Tensor) -> Callable[[Tensor], Tensor]:
        def loss(image: Tensor) -> Tensor:
            difference = (image - target).square()
            # The mean is over all pixels, masked or not, so a smaller mask weighs less.
            return (difference if mask is None else mask * difference).mean(dim=(1, 2, 3))

        return loss

    return toward
