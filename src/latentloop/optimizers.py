"""Names of the optimizers; kept apart so that reading settings needs no PyTorch."""

from typing import Literal

OptimizerName = Literal["muon", "adam"]
