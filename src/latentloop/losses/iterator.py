"""The loss that the iterator descends."""

from types import NoneType

import torch

from latentloop.devices import as_device
from latentloop.features.lpips import Lpips, load_lpips
from latentloop.features.mobilefacenet import MobileFaceNet, load_mobilefacenet
from latentloop.losses.config import LossConfig
from latentloop.losses.identity import IdentityDistance
from latentloop.losses.image import LossToward, pixel_loss, toward, weighted_sum
from latentloop.options import check_kind


def iterator_loss(
    config: LossConfig | None = None,
    *,
    lpips: Lpips | None = None,
    face_embedder: MobileFaceNet | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> LossToward:
    """Make L_opt of Guan et al. (arXiv:2007.01758), MSE + LPIPS, with the distance of identity if it has a weight.

    Call it with targets, then with images, both (N, 3, H, W) in [-1, 1]: `iterator_loss()(target)(image)`, (N,).
    A term of weight 0 is left out and costs nothing, not even its network is loaded.

    Args:
        config: Weights and networks.
        lpips: LPIPS that is loaded already, instead of the configuration's.
        face_embedder: Face-recognition network that is loaded already.
        device: Where networks are loaded.
        dtype: Type of their arithmetic.

    Raises:
        UserError: A weights file of the package is missing or damaged; there is no such device.
        ValueError: An argument is of another type.
    """
    check_kind("config", config, (LossConfig, NoneType), "a LossConfig")
    check_kind("lpips", lpips, (Lpips, NoneType), "what load_lpips gives")
    check_kind("face_embedder", face_embedder, (MobileFaceNet, NoneType), "what load_mobilefacenet gives")
    check_kind("dtype", dtype, torch.dtype, "a type of PyTorch such as torch.float32")
    device = as_device(device)
    config = config or LossConfig()
    terms = [(config.lambda_mse, toward(pixel_loss))] if config.lambda_mse else []
    if config.lambda_lpips:
        lpips = lpips or load_lpips(config.lpips_net, device=device, dtype=dtype)
        terms.append((config.lambda_lpips, lpips.toward))
    if config.lambda_identity:
        face_embedder = face_embedder or load_mobilefacenet(device=device, dtype=dtype)
        terms.append((config.lambda_identity, IdentityDistance(face_embedder, config.identity_layers).toward))
    return weighted_sum(*terms)
