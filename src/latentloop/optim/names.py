"""Names of the optimizers; a module of its own, so that reading settings needs no PyTorch."""

from typing import Literal, get_args

OptimizerName = Literal["muon", "adam"]


def check_optimizer(setting: str, name: str) -> None:
    """Raise a ValueError unless a setting names an optimizer.

    Args:
        setting: Name of the setting, for the message.
        name: Value of the setting.

    Raises:
        ValueError: The optimizer is unknown.
    """
    if name not in get_args(OptimizerName):
        raise ValueError(f"{setting} must be one of {', '.join(get_args(OptimizerName))}, got {name}")
