"""Overview of many reconstructions: means, distributions, and a choice of those to show."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from latentloop.embedding.html import svg_uri
from latentloop.embedding.labels import LABELS

SHOWN = 20
"""Number of worst reconstructions shown, and of others, chosen at random."""
JUDGED_BY = "lpips_alex"
"""Metric that ranks reconstructions; higher is worse."""
DRAWN = ("lpips_alex", "id", "mse", "ssim")
"""Metrics whose distributions are drawn."""
BINS = 40


@dataclass(frozen=True)
class PageLink:
    """Link to a page of the report."""

    address: str
    """Relative URL of the page, from the report's folder."""
    title: str


@dataclass(frozen=True)
class Overview:
    """Summary of many photos on a report's first page."""

    metrics: Sequence[Mapping[str, float]]
    """Metrics of all reconstructions."""
    one_pass: Sequence[Mapping[str, float]]
    """Metrics of all available one-pass reconstructions."""
    headings: Mapping[int, str]
    """Headings of groups of rows, by the index of the first row."""
    pages: Sequence[PageLink]
    """Links to the pages that show all photos, in order."""


def looked_at_first(metrics: Sequence[Mapping[str, float]]) -> tuple[list[int], list[int]]:
    """Choose reconstructions to show: the worst, worst first, and a random sample of the others, in order.

    Args:
        metrics: Metrics of each reconstruction; NaN and missing values count as worst.

    Returns:
        Indices of the worst, and of the others.
    """
    order = sorted(range(len(metrics)), key=lambda i: _badness(metrics[i]), reverse=True)
    worst, others = order[:SHOWN], sorted(order[SHOWN:])
    return worst, sorted(random.Random(0).sample(others, min(SHOWN, len(others))))  # noqa: S311 - the same each time


def distribution(metrics: Sequence[Mapping[str, float]]) -> str:
    """Draw a histogram of each metric with its median; returns a data URI of an SVG."""
    columns = {name: [row[name] for row in metrics if math.isfinite(row.get(name, math.nan))] for name in DRAWN}
    figure = Figure(figsize=(11, 2.4), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(1, len(columns)), columns.items(), strict=True):
        axes.hist(values, bins=BINS, color="#c2410c")
        label, digits, _ = LABELS[name]
        if values:
            median = sorted(values)[len(values) // 2]
            axes.axvline(median, color="#1c1917", linewidth=1)
            axes.set_title(f"median {median:.{digits}f}", fontsize="small")
        axes.set(xlabel=label, yticks=[])
    return svg_uri(figure)


def _badness(metrics: Mapping[str, float]) -> float:
    value = metrics.get(JUDGED_BY, math.inf)
    return math.inf if math.isnan(value) else value
