"""Plot of quality against time, with the methods that no faster one equals."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latentloop.benchmark.comparison import LABELS, Comparison
from latentloop.benchmark.result_files import COMMAND
from latentloop.errors import printable
from latentloop.metrics.facts import FACTS
from latentloop.ownership import mark
from latentloop.pixels import COMMENT

PLOTTED = ("lpips_alex", "mse", "lpips_squeeze", "lpips_vgg", "id")
"""Metrics that get a panel, if the protocol has them."""
PANELS = 3
"""Number of panels in a row of the figure."""
LEGEND_COLUMNS = {1: 2, 2: 3, 3: 5}
"""Number of legend columns, by the number of panels in a row."""
OURS, THEIRS = "o", "s"
"""Markers of our methods and of the earlier ones."""


@dataclass(frozen=True)
class Point:
    """A method in a panel: its time and the mean of a metric."""

    seconds: float
    value: float
    """Mean of the panel's metric."""
    name: str
    marker: str
    colour: tuple[float, float, float, float]


def pareto_plot(comparison: Comparison) -> bytes:
    """Plot metrics against seconds, with a line through the methods that no faster one equals; returns a PNG."""
    buffer = io.BytesIO()
    pareto_figure(comparison).savefig(buffer, format="png", metadata={"Software": None, COMMENT: mark(COMMAND)})
    return buffer.getvalue()


def pareto_figure(comparison: Comparison) -> Figure:
    """Draw metrics against seconds, with a line through the methods that no faster one equals."""
    plotted = [column for column in PLOTTED if column in comparison.columns]
    columns = min(PANELS, len(plotted))
    rows = -(-len(plotted) // columns)
    figure = Figure(figsize=(4.4 * columns, 3.4 * rows + 0.6), layout="constrained", dpi=90)
    # A folder's name may contain characters without a glyph, and dollar signs that read as a formula.
    figure.suptitle(printable(comparison.title), fontsize=10, parse_math=False)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels[len(plotted) :]:
        axes.remove()
    for axes, column in zip(panels, plotted, strict=False):
        _plot(axes, _points(comparison, column), column)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=LEGEND_COLUMNS[columns], fontsize=8)
    return figure


def _points(comparison: Comparison, column: str) -> list[Point]:
    """Create a point for each method, in the order of the tables."""
    colours = colormaps["tab10" if len(comparison.lines) <= 10 else "tab20"]
    return [
        Point(
            seconds=line.seconds,
            value=line.means([column])[column],
            name=line.name,
            marker=OURS if line.ours else THEIRS,
            colour=colours(i % colours.N),
        )
        for i, line in enumerate(comparison.lines)
    ]


def _plot(axes: Axes, points: Sequence[Point], column: str) -> None:
    front, better = _front(points, column), "higher" if FACTS[column].higher_is_better else "lower"
    axes.plot([p.seconds for p in front], [p.value for p in front], color="0.6", linewidth=1, zorder=1)
    for point in points:
        axes.scatter(point.seconds, point.value, color=point.colour, marker=point.marker, label=point.name, zorder=2)
    axes.set(xscale="log", xlabel="seconds per image", ylabel=f"{LABELS[column]}, {better} is better")
    values = [point.value for point in points]
    axes.set_ylim(min(0, *values) * 1.15, max(0, *values) * 1.15)
    axes.grid(visible=True, which="both", alpha=0.2)


def _front(points: Sequence[Point], column: str) -> list[Point]:
    """Find the methods that no faster one equals, fastest first."""
    sign = -1 if FACTS[column].higher_is_better else 1
    quickest_first = sorted(points, key=lambda point: (point.seconds, sign * point.value))
    return [
        point
        for i, point in enumerate(quickest_first)
        if all(sign * point.value < sign * other.value for other in quickest_first[:i])
    ]
