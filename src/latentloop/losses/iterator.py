"""The loss that the iterator descends."""

import torch

from latentloop.features.lpips import load_lpips
from latentloop.losses.config import LossConfig
from latentloop.losses.image import ImageLoss, pixel_loss, weighted_sum


def iterator_loss(config: LossConfig | None = None, *, device: torch.device | str = "cpu") -> ImageLoss:
    """L_opt of Guan et al. (arXiv:2007.01758): MSE + LPIPS, (N, 3, H, W) x 2 -> (N,), with the shipped LPIPS.

    A term of weight 0 is left out and costs nothing.
    """
    config = config or LossConfig()
    lpips = load_lpips(config.lpips_net, device=device)
    terms: list[tuple[float, ImageLoss]] = [(config.lambda_mse, pixel_loss), (config.lambda_lpips, lpips)]
    return weighted_sum(*[(weight, loss) for weight, loss in terms if weight])
