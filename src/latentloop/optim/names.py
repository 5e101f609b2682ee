"""Names of the optimizers; kept apart so that reading settings needs no PyTorch."""

from typing import Literal, get_args

OptimizerName = Literal["muon", "adam"]


def check_optimizer(setting: str, name: str) -> None:
    """Check that a setting names an optimizer.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in get_args(OptimizerName):
        raise ValueError(f"{setting} must be one of {', '.join(get_args(OptimizerName))}, got {name}")
