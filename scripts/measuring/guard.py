"""Comparison of figures with committed ones: what got worse by more than its noise."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latentloop.errors import UserError

FACTOR = 2.0
"""Allowed difference, as a multiple of the largest one that was seen between repetitions."""
MOST = 0.25
"""Most noise, as a share of the value: more would hide what a change does."""


@dataclass(frozen=True)
class Guarded:
    """A committed figure."""

    value: float
    noise: float
    """Largest difference that does not count, in units of the figure."""
    higher_is_better: bool


@dataclass(frozen=True)
class Verdict:
    """What a comparison found, a line for each figure."""

    worse: Sequence[str]
    better: Sequence[str]


def compare(committed: Mapping[str, Guarded], now: Mapping[str, float]) -> Verdict:
    """Compare figures with committed ones. A committed figure that is missing is worse; a new one does not count."""
    worse, better = [], []
    for name, before in committed.items():
        if name not in now:
            worse.append(f"{name}: was {before.value:.4g}, is not measured any more")
            continue
        gain = (now[name] - before.value) * (1 if before.higher_is_better else -1)
        line = f"{name}: {before.value:.4g} became {now[name]:.4g}, {{}} by {abs(gain):.2g} (noise {before.noise:.2g})"
        if not gain >= -before.noise:  # so that nan is worse, too
            worse.append(line.format("worse"))
        elif gain > before.noise:
            better.append(line.format("better"))
    return Verdict(worse, better)


def guarded(repeated: Sequence[float], *, higher_is_better: bool, least: float) -> Guarded:
    """Make a committed figure of repeated measurements, the first of which is compared from now on.

    Args:
        repeated: Values under different conditions, each measured as those that are compared with them.
        higher_is_better: Whether larger values are better.
        least: Least noise, as a share of the value: what other machines and libraries change.

    Raises:
        ValueError: There are no values.
    """
    if not repeated:
        raise ValueError("no values")
    value = repeated[0]
    noise = max(FACTOR * max(abs(one - value) for one in repeated), least * abs(value))
    return Guarded(float(f"{value:.5g}"), float(f"{noise:.2g}"), higher_is_better)


def check_noise(figures: Mapping[str, Guarded]) -> None:
    """Refuse figures whose noise would hide what a change does.

    Raises:
        UserError: The noise of one is more than the share `MOST` of it.
    """
    for name, figure in figures.items():
        if figure.noise > MOST * abs(figure.value):
            noise = figure.noise / abs(figure.value) if figure.value else math.inf
            raise UserError(f"{name}: its noise is {noise:.0%}, more than {MOST:.0%}: wait for a quiet machine")
