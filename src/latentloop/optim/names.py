"""Names of the optimizers; kept apart so that reading settings needs no PyTorch."""

from typing import Literal, get_args

OptimizerName = Literal["muon", "adam"]


def check_optimizer(setting: str, name: str) -> None:
    """See whether a setting names an optimizer.

    Raises:
        ValueError: It does not.
    """
    if name not in get_args(OptimizerName):
        raise ValueError(f"{setting} must be one of {', '.join(get_args(OptimizerName))}, got {name}")
