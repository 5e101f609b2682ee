"""Settings of the prior on codes; kept apart so that reading them needs no PyTorch."""

import math
from dataclasses import dataclass, fields

from latentloop.stamps import left_out_at


@dataclass(frozen=True)
class PriorConfig:
    """Weights of what the iterator adds to its loss so that codes stay where they edit well; unset, they are 0."""

    lambda_near: float | None = left_out_at(0.0, default=0.0)
    """Weight of the squared distance from the start, in units of W's standard deviation, mean over all styles."""
    lambda_align: float | None = left_out_at(0.0, default=0.0)
    """Weight of minus the cosine of style vectors to the mean direction of those of random codes (LSAP,
    arXiv:2209.12746)."""
    lambda_spread: float | None = left_out_at(0.0, default=0.0)
    """Weight of the squared distance of a code's styles from their mean, in units of W's standard deviation."""
    lambda_fine: float | None = left_out_at(0.0, default=0.0)
    """Weight of the squared distance from the start, of the fine styles alone: those that draw at 256 pixels and more,
    which a comparison at 256 pixels leaves nearly free."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if not (math.isfinite(value := getattr(self, field.name) or 0.0) and value >= 0):
                raise ValueError(f"{field.name} must be 0 or more, got {value}")
