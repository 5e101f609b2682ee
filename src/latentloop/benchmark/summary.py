"""Figures of many images as means, with how sure they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS, SEED = 2000, 0
"""Of the bootstrap."""
COVERED = 0.95


@dataclass(frozen=True)
class Spread:
    """Of one figure over a set of images."""

    count: int
    mean: float
    deviation: float
    """Standard deviation of the images' figures, divided by n - 1; 0 of one image."""
    low: float
    high: float
    """Where 95 % of the means lie of as many images drawn from these with replacement."""


def summarize(values: Sequence[float]) -> Spread:
    """Mean, deviation and bootstrap interval of a figure (Efron 1979); the same ones each time.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("no values to summarize")
    figures = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(SEED).integers(len(figures), size=(DRAWS, len(figures)))
    low, high = np.quantile(figures[drawn].mean(axis=1), [(1 - COVERED) / 2, (1 + COVERED) / 2])
    deviation = float(figures.std(ddof=1)) if len(figures) > 1 else 0.0
    return Spread(len(figures), float(figures.mean()), deviation, float(low), float(high))
