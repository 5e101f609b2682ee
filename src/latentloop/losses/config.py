"""Settings of the iterator's loss; kept apart so that reading them needs no PyTorch."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LossConfig:
    """Settings of the iterator's loss, lambda_mse * MSE + lambda_lpips * LPIPS (Guan et al., arXiv:2007.01758)."""

    lambda_mse: float = 1.0
    """Weight of the mean squared error on [-1, 1]."""
    lambda_lpips: float = 0.8
    """Weight of the LPIPS distance."""
    lpips_net: Literal["alex", "squeeze"] = "alex"
    """Network whose features LPIPS compares."""

    def __post_init__(self) -> None:
        for name, value in (("lambda_mse", self.lambda_mse), ("lambda_lpips", self.lambda_lpips)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be 0 or more, got {value}")
        if self.lambda_mse == self.lambda_lpips == 0:
            raise ValueError("one of lambda_mse and lambda_lpips must be above 0")
