"""StyleGAN-Encoder: Puzer's, with the mixed losses that pbaylies gave it (github.com/pbaylies/stylegan-encoder)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.baselines.networks import Networks, feature_loss
from latentloop.baselines.refiner import descend
from latentloop.generators import Generator
from latentloop.inversion import Inversion
from latentloop.inversion.iterator import OnStep
from latentloop.latents import mean_code
from latentloop.metrics import ms_ssim

GREY_LEVELS = 127.5
"""Of an image in [0, 255] to one in [-1, 1]; the weights are for the former."""


@dataclass(frozen=True)
class StyleGANEncoder:
    """Adam on W+ from a network's guess, with many losses and a step size that falls in stairs; the best is kept.

    Weights and step size are the defaults of pbaylies' command line. Left out are its masks, the term of the
    discriminator, which files of generators lack, and its optimizer GGT, in whose place Adam stands; features are
    compared by their squares, as Puzer did.
    """

    generator: Generator
    networks: Networks
    steps: int = 100
    lr: float = 0.25
    decay: float = 0.9
    """What the step size is multiplied by, after each twenty-fifth of the steps."""
    lambda_features: float = 0.4
    lambda_pixels: float = 1.5
    """Of the log-cosh of differences of grey levels."""
    lambda_ms_ssim: float = 200.0
    lambda_lpips: float = 100.0
    lambda_average: float = 0.5
    """Of the distance from the mean latent: 512 times the mean absolute difference."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """As `Refiner.refine`: targets (N, 3, R, R) in [-1, 1], codes (N, num_ws, w_dim)."""
        code = start.detach().clone().requires_grad_()
        best, least = start.clone(), target.new_full((len(target),), torch.inf)
        at, losses = torch.zeros(len(target), dtype=torch.long, device=target.device), []
        objective = self._objective(target)
        before = [start]  # the code that the loss is of

        def after(step: int, loss: Tensor) -> None:
            nonlocal best, least, at
            better = loss < least
            best = torch.where(better[:, None, None], before[0], best)
            least, at = torch.where(better, loss, least), torch.where(better, step, at)
            losses.append(loss)
            before[0] = code.detach().clone()
            if on_step:
                on_step(step, least)

        descend([code], lambda _: objective(code), steps=self.steps, lr_at=self.lr_at, after=after)
        with torch.no_grad():
            after(self.steps, objective(code))
            image = self._drawn(best, target)
        return Inversion(w_plus=best, loss=least, losses=torch.stack(losses), steps=at, image=image)

    def lr_at(self, step: int) -> float:
        """Size of a step, counted from 0."""
        return self.lr * self.decay ** (step // max(1, round(0.04 * self.steps)))

    def _drawn(self, code: Tensor, target: Tensor) -> Tensor:
        return self.generator.synthesis(code, resolution=target.shape[-1])

    def _objective(self, target: Tensor) -> Callable[[Tensor], Tensor]:
        """The sum of all losses of codes (N, num_ws, w_dim), (N,)."""
        average = mean_code(self.generator)
        features, lpips = feature_loss(self.networks.layer)(target), self.networks.lpips.toward(target)

        def loss(code: Tensor) -> Tensor:
            image = self._drawn(code, target)
            return (
                self.lambda_features * features(image)
                + self.lambda_pixels * log_cosh(GREY_LEVELS * (image - target)).mean(dim=(1, 2, 3))
                + self.lambda_ms_ssim * (1 - ms_ssim(image, target))
                + self.lambda_lpips * lpips(image)
                + self.lambda_average * 512 * (code - average).abs().mean(dim=(1, 2))
            )

        return loss


def log_cosh(x: Tensor) -> Tensor:
    """log(cosh(x)) of any shape, which of large numbers is |x| - log(2)."""
    return x + F.softplus(-2 * x) - 0.6931471805599453
