"""Settings of the prior on codes; a module of its own, so that reading them needs no PyTorch."""

import math
from dataclasses import dataclass, fields

from latentloop.stamps import left_out_at


@dataclass(frozen=True)
class PriorConfig:
    """Weights of the priors that the iterator adds to its loss to keep codes editable; unset ones are 0."""

    lambda_near: float | None = left_out_at(0.0, default=0.0)
    """Weight of the mean squared distance from the start over all styles, in units of W's variance."""
    lambda_align: float | None = left_out_at(0.0, default=0.0)
    """Weight of the style alignment of LSAP (arXiv:2209.12746): minus the cosine between style vectors and the mean
    direction of random codes' style vectors."""
    lambda_spread: float | None = left_out_at(0.0, default=0.0)
    """Weight of the mean squared distance of a code's styles from their mean, in units of W's variance."""
    lambda_fine: float | None = left_out_at(0.0, default=0.0)
    """Weight of the mean squared distance from the start of the fine styles only: those at 256 pixels and more, which a
    comparison at 256 pixels hardly constrains."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if not (math.isfinite(value := getattr(self, field.name) or 0.0) and value >= 0):
                raise ValueError(f"{field.name} must be 0 or more, got {value}")
