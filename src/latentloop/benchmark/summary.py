"""Means of metrics over images, with bootstrap confidence intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS, SEED = 2000, 0
"""Number of bootstrap samples, and the seed that draws them."""
COVERED = 0.95
"""Confidence level of the interval."""


@dataclass(frozen=True)
class Spread:
    """Mean and spread of a metric over a set of images."""

    count: int
    mean: float
    deviation: float
    """Standard deviation over the images, with n - 1 in the divisor; 0 for one image."""
    low: float
    """Lower end of the mean's 95 % bootstrap interval."""
    high: float
    """Upper end of the confidence interval."""


def summarize(values: Sequence[float]) -> Spread:
    """Compute mean, deviation and percentile bootstrap interval (Efron 1979) of a metric, deterministically.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("no values to summarize")
    figures = np.asarray(values, dtype=np.float64)
    # Images are drawn with replacement; the interval covers the choice of images, not the noise of a run.
    drawn = np.random.default_rng(SEED).integers(len(figures), size=(DRAWS, len(figures)))
    low, high = np.quantile(figures[drawn].mean(axis=1), [(1 - COVERED) / 2, (1 + COVERED) / 2])
    deviation = float(figures.std(ddof=1)) if len(figures) > 1 else 0.0
    return Spread(len(figures), float(figures.mean()), deviation, float(low), float(high))
