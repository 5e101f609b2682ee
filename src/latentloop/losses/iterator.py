"""The loss that the iterator descends."""

import torch

from latentloop.features.lpips import Lpips, load_lpips
from latentloop.losses.config import LossConfig
from latentloop.losses.image import LossToward, pixel_loss, toward, weighted_sum


def iterator_loss(
    config: LossConfig | None = None,
    *,
    lpips: Lpips | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> LossToward:
    """Make L_opt of Guan et al. (arXiv:2007.01758): MSE + LPIPS, with the shipped LPIPS.

    Call it with targets, then with images, both (N, 3, H, W) in [-1, 1]: `iterator_loss()(target)(image)`, (N,).
    A term of weight 0 is left out and costs nothing. `dtype` is that of LPIPS's network. An LPIPS that is loaded
    already can be given; then neither the configuration's network nor the device and the type matter.
    """
    config = config or LossConfig()
    lpips = lpips or load_lpips(config.lpips_net, device=device, dtype=dtype)
    terms = [(config.lambda_mse, toward(pixel_loss)), (config.lambda_lpips, lpips.toward)]
    return weighted_sum(*[(weight, loss) for weight, loss in terms if weight])
