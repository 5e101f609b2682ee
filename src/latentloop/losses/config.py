"""Settings of the iterator's loss; a module of its own, so that reading them needs no PyTorch."""

import math
from dataclasses import dataclass
from typing import Literal

from latentloop.options import check_choices
from latentloop.stamps import left_out_at

IdentityLayers = Literal["early", "all", "last"]


@dataclass(frozen=True)
class LossConfig:
    """Settings of the iterator's loss: MSE and LPIPS (Guan et al., arXiv:2007.01758), and an identity distance."""

    lambda_mse: float = 1.0
    """Weight of the mean squared error on [-1, 1]."""
    lambda_lpips: float = 0.8
    """Weight of the LPIPS distance."""
    lpips_net: Literal["alex", "squeeze"] = "alex"
    """Network whose features LPIPS compares."""
    lambda_identity: float | None = left_out_at(0.0, default=0.0)
    """Weight of the distance between faces in a face-recognition network; use 0 for images that are not faces. Default:
    0, in embed by quality."""
    identity_layers: IdentityLayers = left_out_at("early", default="early")
    """Layers of that network that are compared. early: those before its last blocks, so that the reported ID, the
    cosine of its embeddings, stays independent. last: the embedding only. all: all of these and the last block."""

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("lambda_mse", "lambda_lpips", "lambda_identity"):
            if not (math.isfinite(value := getattr(self, name) or 0.0) and value >= 0):
                raise ValueError(f"{name} must be 0 or more, got {value}")
        if self.lambda_mse == self.lambda_lpips == 0:
            raise ValueError("one of lambda_mse and lambda_lpips must be above 0")
