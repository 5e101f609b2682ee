"""The loss that the iterator minimises."""

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
    """Make the iterator's loss, L_opt of Guan et al. (arXiv:2007.01758): MSE + LPIPS, plus an identity distance if set.

    Call it with targets, then with images, both (N, 3, H, W) in [-1, 1]: `iterator_loss()(target)(image)`, (N,).
    A term of weight 0 costs nothing; its network is not loaded.

    Args:
        config: Weights of the terms, and their networks; None for the defaults.
        lpips: A loaded LPIPS to use instead of the configuration's.
        face_embedder: A loaded face-recognition network to use.
        device: Device on which other networks are loaded.
        dtype: Precision of these networks.

    Raises:
        UserError: A bundled weights file is missing or damaged, or there is no such device.
        ValueError: An argument has the wrong type.
    """
    check_kind("config", config, (LossConfig, NoneType), "a LossConfig")
    check_kind("lpips", lpips, (Lpips, NoneType), "an Lpips from load_lpips")
    check_kind("face_embedder", face_embedder, (MobileFaceNet, NoneType), "a MobileFaceNet from load_mobilefacenet")
    check_kind("dtype", dtype, torch.dtype, "a type of PyTorch such as torch.float32")
    device = as_device(device)
    config = config or LossConfig()
    # L_opt(w) = lambda_mse MSE(G(w), x) + lambda_lpips LPIPS(G(w), x), and the identity term (ours).
    terms = [(config.lambda_mse, toward(pixel_loss))] if config.lambda_mse else []
    if config.lambda_lpips:
        lpips = lpips or load_lpips(config.lpips_net, device=device, dtype=dtype)
        terms.append((config.lambda_lpips, lpips.toward))
    if config.lambda_identity:
        face_embedder = face_embedder or load_mobilefacenet(device=device, dtype=dtype)
        terms.append((config.lambda_identity, IdentityDistance(face_embedder, config.identity_layers).toward))
    return weighted_sum(*terms)
