"""StyleGAN-Encoder by Puzer, with the mixed losses of pbaylies' version (github.com/pbaylies/stylegan-encoder)."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.baselines.networks import Networks
from latentloop.baselines.refiner import Randomness, descend
from latentloop.baselines.steps import STYLEGAN_ENCODER
from latentloop.generators import Generator
from latentloop.inversion import Inversion
from latentloop.inversion.iterator import OnStep
from latentloop.latents import mean_code
from latentloop.metrics import ms_ssim

GREY_LEVELS = 127.5
"""Factor from [-1, 1] to the [0, 255] for which the published weights are meant."""
FEATURE_LEVELS = 57.0
"""Factor from features of standardised pixels to features of pixels in [0, 255] minus their mean."""
LIMIT = 2.0
"""Numbers of a code outside [-2, 2] are drawn anew after each step: stochastic clipping (arXiv:1702.04782)."""
KEPT = 0.25
"""Weight of the best code so far in its average with a better one."""


@dataclass(frozen=True)
class StyleGANEncoder:
    """StyleGAN-Encoder: Adam on W+ from a network's guess, with many losses and a staircase step size.

    A code better than all before is averaged with the best one, and optimization continues from the average. Weights
    are the defaults of pbaylies' command line, the step size that of its presets for Adam. Masks, sharpening of the
    target, early stopping and the discriminator's term are left out; generator files lack a discriminator.
    """

    generator: Generator
    """Generator that is inverted."""
    networks: Networks
    """Networks whose features and LPIPS are compared."""
    steps: int = STYLEGAN_ENCODER
    """Number of Adam steps."""
    lr: float = 0.02
    """Step size at the start, in units of W."""
    decay: float = 0.9
    """Factor of the step size after every 4 % of the steps."""
    lambda_features: float = 0.4
    """Weight of the log-cosh of feature differences."""
    lambda_pixels: float = 1.5
    """Weight of the log-cosh of pixel differences in [0, 255]."""
    lambda_ms_ssim: float = 200.0
    """Weight of 1 - MS-SSIM."""
    lambda_lpips: float = 100.0
    """Weight of the LPIPS distance."""
    lambda_average: float = 0.5
    """Weight of the distance from the mean latent: 512 times the mean absolute difference."""
    seed: int = 0
    """Random seed of stochastic clipping."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Optimize codes (N, num_ws, w_dim) of targets (N, 3, R, R) in [-1, 1], see `Refiner.refine`."""
        code, randomness = start.detach().clone().requires_grad_(), Randomness(self.seed, target)
        objective = self._objective(target)
        best = _Best(start.detach().clone(), target.new_full((len(target),), torch.inf))

        def after(step: int, loss: Tensor) -> None:
            with torch.no_grad():
                best.update(code, loss, step)
                strange = code.abs() > LIMIT  # stochastic clipping: redrawn below
                code.copy_(torch.where(strange, randomness.normal(*code.shape[1:]), code))
            if on_step:
                on_step(step + 1, best.loss)

        descend([code], lambda _: objective(code), steps=self.steps, lr_at=self.lr_at, after=after)
        with torch.no_grad():
            last, image = objective(best.code), self._drawn(best.code, target)
        losses = torch.stack([*best.losses, last])
        return Inversion(w_plus=best.code, loss=last, losses=losses, steps=best.step, draw=lambda: image)

    def lr_at(self, step: int) -> float:
        """Compute the step size of a step counted from 0."""
        return self.lr * self.decay ** (step // max(1, round(0.04 * self.steps)))  # a stair every 4 % of the steps

    def _drawn(self, code: Tensor, target: Tensor) -> Tensor:
        return self.generator.synthesis(code, resolution=target.shape[-1])

    def _objective(self, target: Tensor) -> Callable[[Tensor], Tensor]:
        """Function from codes (N, num_ws, w_dim) to the sum of all losses, (N,)."""
        average, lpips = mean_code(self.generator), self.networks.lpips.toward(target)
        with torch.no_grad():
            (wanted,) = self.networks.layer(target)

        def loss(code: Tensor) -> Tensor:
            image = self._drawn(code, target)
            (seen,) = self.networks.layer(image)
            return (
                self.lambda_features * log_cosh(FEATURE_LEVELS * (seen - wanted)).mean(dim=(1, 2, 3))
                + self.lambda_pixels * log_cosh(GREY_LEVELS * (image - target)).mean(dim=(1, 2, 3))
                + self.lambda_ms_ssim * (1 - ms_ssim(image, target))
                + self.lambda_lpips * lpips(image)
                + self.lambda_average * 512 * (code - average).abs().mean(dim=(1, 2))
            )

        return loss


@dataclass
class _Best:
    """State of the search: each image's running average of best codes, and its loss."""

    code: Tensor
    loss: Tensor
    step: Tensor = field(init=False)
    losses: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.step = torch.zeros_like(self.loss, dtype=torch.long)

    def update(self, code: Tensor, loss: Tensor, step: int) -> None:
        """Update the average with the code after a step, and continue from it.

        As in the published code, the code after the step goes with the loss before it.
        """
        better = loss < self.loss
        kept = KEPT if self.losses else 0.0
        averaged = kept * self.code + (1 - kept) * code
        self.code = torch.where(better[:, None, None], averaged, self.code)
        code.copy_(torch.where(better[:, None, None], averaged, code))
        self.loss, self.step = torch.where(better, loss, self.loss), torch.where(better, step + 1, self.step)
        self.losses.append(loss)


def log_cosh(x: Tensor) -> Tensor:
    """Compute log(cosh(x)) elementwise without overflow; for large |x| it is |x| - log(2)."""
    # cosh(x) = e^x (1 + e^-2x) / 2.
    return x + F.softplus(-2 * x) - 0.6931471805599453
