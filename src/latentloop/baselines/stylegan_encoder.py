"""StyleGAN-Encoder: Puzer's, with the mixed losses that pbaylies gave it (github.com/pbaylies/stylegan-encoder)."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.baselines.networks import Networks
from latentloop.baselines.refiner import Randomness, descend
from latentloop.generators import Generator
from latentloop.inversion import Inversion
from latentloop.inversion.iterator import OnStep
from latentloop.latents import mean_code
from latentloop.metrics import ms_ssim

GREY_LEVELS = 127.5
"""Grey levels for a unit of [-1, 1]: the published weights are for images in [0, 255]."""
FEATURE_LEVELS = 57.0
"""Scale of features of pixels in [0, 255], less their mean, to features of pixels divided by their deviation, too."""
LIMIT = 2.0
"""Numbers of a code beyond plus and minus this are drawn anew after each step (Lipton & Tripathi, arXiv:1702.04782)."""
KEPT = 0.25
"""Weight of the best code so far in its average with a better one."""


@dataclass(frozen=True)
class StyleGANEncoder:
    """StyleGAN-Encoder: Adam on W+ from a network's guess, with many losses and a step size that falls in stairs.

    A code that is better than all before is averaged with the best one, and the steps go on from there. Weights are the
    defaults of pbaylies' command line, the step size that of its presets for Adam. Left out are the masks, the
    sharpening of the target, the early end, and the term of the discriminator, which files of generators lack.
    """

    generator: Generator
    """Generator that synthesizes images from the codes."""
    networks: Networks
    """Return the features and the LPIPS that are compared."""
    steps: int = 100
    """Number of Adam's steps."""
    lr: float = 0.02
    """Step size at the start, in units of W."""
    decay: float = 0.9
    """Factor of the step size after each twenty-fifth of the steps."""
    lambda_features: float = 0.4
    """Weight of the log-cosh of differences of features."""
    lambda_pixels: float = 1.5
    """Weight of the log-cosh of differences of grey levels."""
    lambda_ms_ssim: float = 200.0
    """Weight of 1 - MS-SSIM."""
    lambda_lpips: float = 100.0
    """Weight of the LPIPS distance."""
    lambda_average: float = 0.5
    """Weight of the distance from the mean latent, 512 times the mean absolute difference."""
    seed: int = 0
    """Random seed of the numbers that are drawn anew."""

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Refine codes (N, num_ws, w_dim) of targets (N, 3, R, R) in [-1, 1], as `Refiner.refine`."""
        code, randomness = start.detach().clone().requires_grad_(), Randomness(self.seed, target)
        objective = self._objective(target)
        best = _Best(start.detach().clone(), target.new_full((len(target),), torch.inf))

        def after(step: int, loss: Tensor) -> None:
            with torch.no_grad():
                best.update(code, loss, step)
                strange = code.abs() > LIMIT
                code.copy_(torch.where(strange, randomness.normal(*code.shape[1:]), code))
            if on_step:
                on_step(step + 1, best.loss)

        descend([code], lambda _: objective(code), steps=self.steps, lr_at=self.lr_at, after=after)
        with torch.no_grad():
            last, image = objective(best.code), self._drawn(best.code, target)
        losses = torch.stack([*best.losses, last])
        return Inversion(w_plus=best.code, loss=last, losses=losses, steps=best.step, draw=lambda: image)

    def lr_at(self, step: int) -> float:
        """Return the step size of a step counted from 0."""
        return self.lr * self.decay ** (step // max(1, round(0.04 * self.steps)))

    def _drawn(self, code: Tensor, target: Tensor) -> Tensor:
        return self.generator.synthesis(code, resolution=target.shape[-1])

    def _objective(self, target: Tensor) -> Callable[[Tensor], Tensor]:
        """The sum of all losses of codes (N, num_ws, w_dim), (N,)."""
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
    """The average of the best codes so far of each image."""

    code: Tensor
    loss: Tensor
    step: Tensor = field(init=False)
    losses: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.step = torch.zeros_like(self.loss, dtype=torch.long)

    def update(self, code: Tensor, loss: Tensor, step: int) -> None:
        """Take in the code after a step with the loss before it, as theirs does, and go on from the average."""
        better = loss < self.loss
        kept = KEPT if self.losses else 0.0
        averaged = kept * self.code + (1 - kept) * code
        self.code = torch.where(better[:, None, None], averaged, self.code)
        code.copy_(torch.where(better[:, None, None], averaged, code))
        self.loss, self.step = torch.where(better, loss, self.loss), torch.where(better, step + 1, self.step)
        self.losses.append(loss)


def log_cosh(x: Tensor) -> Tensor:
    """Compute log(cosh(x)) of any shape without overflow; of large numbers it is |x| - log(2)."""
    return x + F.softplus(-2 * x) - 0.6931471805599453
