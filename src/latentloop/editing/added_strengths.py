"""Strengths of an edit that are given in several ways, added up; without PyTorch."""

from collections.abc import Mapping

from latentloop.options import is_finite


def added(*strengths: Mapping[str, float]) -> dict[str, float]:
    """Add up strengths by direction.

    Raises:
        ValueError: A strength is not finite.
    """
    total: dict[str, float] = {}
    for name, strength in (item for one in strengths for item in one.items()):
        if not is_finite(strength):
            raise ValueError(f"strength of {name} must be a finite number, got {strength!r}")
        total[name] = total.get(name, 0.0) + strength
    return total
