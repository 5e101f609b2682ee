"""Quality against time: where each method lies, and which no quicker one equals."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from latentloop.benchmark.comparison import LABELS, Comparison

PLOTTED = ("lpips_alex", "mse", "lpips_squeeze", "lpips_vgg", "id")
"""Figures against seconds, as far as there are any."""
GREATER_IS_BETTER = frozenset({"psnr", "ssim", "ms_ssim", "id"})
PANELS = 3
"""Plots in a row."""
SAMPLES = 100
"""Places along a line that names keep free of."""
OURS, THEIRS = "#c2410c", "#57534e"
GAP, STEP, FARTHEST = 5.0, 2.0, 100
"""Pixels around a point that no name covers; of a step up or down to a free place; steps at most."""

Place = tuple[float, float]
"""Pixels from left and from below."""


@dataclass(frozen=True, order=True)
class Point:
    """A method in a plot; sorted by seconds."""

    seconds: float
    value: float
    name: str
    ours: bool


def pareto_plot(comparison: Comparison) -> bytes:
    """Figures against seconds, a PNG; lines join the methods that no quicker one equals."""
    buffer = io.BytesIO()
    pareto_figure(comparison).savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def pareto_figure(comparison: Comparison) -> Figure:
    """What `pareto_plot` draws."""
    plotted = [column for column in PLOTTED if column in comparison.columns]
    columns = min(PANELS, len(plotted))
    rows = -(-len(plotted) // columns)
    figure = Figure(figsize=(4.4 * columns, 3.4 * rows), layout="constrained", dpi=90)
    figure.suptitle(comparison.title, fontsize=10)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels[len(plotted) :]:
        axes.remove()
    shown = [(axes, _points(comparison, column), column) for axes, column in zip(panels, plotted, strict=False)]
    for axes, points, column in shown:
        _plot(axes, points, column)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # names are placed by pixels: nothing may move any more
    for axes, points, column in shown:
        _name(axes, points, _front(points, column))
    return figure


def _points(comparison: Comparison, column: str) -> list[Point]:
    means = ((line, line.means([column])[column]) for line in comparison.lines)
    return sorted(Point(line.seconds, mean, line.name, line.ours) for line, mean in means)


def _plot(axes: Axes, points: Sequence[Point], column: str) -> None:
    axes.scatter([p.seconds for p in points], [p.value for p in points], c=[_colour(p) for p in points], zorder=3)
    front, better = _front(points, column), "higher" if column in GREATER_IS_BETTER else "lower"
    axes.plot([p.seconds for p in front], [p.value for p in front], color=OURS, linewidth=1, zorder=2)
    axes.set(xscale="log", xlabel="seconds an image", ylabel=f"{LABELS[column]}, {better} is better")
    values = [p.value for p in points]
    axes.set(xlim=(points[0].seconds / 3, points[-1].seconds * 100), ylim=(min(0, *values), 1.15 * max(values)))
    axes.grid(visible=True, which="both", alpha=0.2)


def _front(points: Sequence[Point], column: str) -> list[Point]:
    sign = -1 if column in GREATER_IS_BETTER else 1
    return [p for i, p in enumerate(points) if all(sign * p.value < sign * other.value for other in points[:i])]


def _name(axes: Axes, points: Sequence[Point], front: Sequence[Point]) -> None:
    """Write each point's name as near as it covers neither name, point nor line; if that is apart, a line leads there.

    Names are placed one after the other, and keep to their places.
    """
    places, to_axes = _pixels(axes, points), axes.transAxes.inverted().transform
    dots = [_square(place, GAP) for place in places]
    along = [_square(p, 1) for a, b in pairwise(_pixels(axes, front)) for p in np.linspace(a, b, SAMPLES)]
    names: list[Bbox] = []
    for i, (point, place) in enumerate(zip(points, places, strict=True)):
        text = axes.text(0, 0, point.name, transform=axes.transAxes, va="bottom", fontsize=7, zorder=4)
        boxes = list(_around(place, text.get_window_extent()))
        others = [*dots[:i], *dots[i + 1 :], *names]
        fits = [box for box in boxes if _inside(box, axes.bbox) and not box.count_overlaps([*others, dots[i], *along])]
        clear = (box for box in fits if not any(_leader(place, box).intersects_bbox(o, filled=False) for o in others))
        box = next(clear, [*fits, boxes[0]][0])
        names.append(box)
        text.set(position=to_axes(box.min))
        if not box.y0 <= place[1] <= box.y1:
            ends = to_axes(_leader(place, box).vertices)
            axes.plot(*ends.T, transform=axes.transAxes, color=THEIRS, linewidth=0.5, zorder=1)


def _around(place: Place, size: Bbox) -> Iterator[Bbox]:
    """Boxes of a size right and left of a point, nearest first."""
    x, middle = place[0], place[1] - size.height / 2
    for i in range(2 * FARTHEST):
        bottom = middle + STEP * ((i + 1) // 2) * (-1) ** i
        yield Bbox.from_bounds(x + 1.5 * GAP, bottom, size.width, size.height)
        yield Bbox.from_bounds(x - 1.5 * GAP - size.width, bottom, size.width, size.height)


def _leader(place: Place, box: Bbox) -> Path:
    """From a point to the near end of its name."""
    return Path([place, (box.x0 if box.x0 > place[0] else box.x1, (box.y0 + box.y1) / 2)])


def _pixels(axes: Axes, points: Sequence[Point]) -> list[Place]:
    return [(float(x), float(y)) for x, y in axes.transData.transform([(p.seconds, p.value) for p in points])]


def _square(place: Place, margin: float) -> Bbox:
    x, y = place
    return Bbox.from_extents(x - margin, y - margin, x + margin, y + margin)


def _inside(box: Bbox, outer: Bbox) -> bool:
    return bool(outer.x0 < box.x0 and box.x1 < outer.x1 and outer.y0 < box.y0 and box.y1 < outer.y1)


def _colour(point: Point) -> str:
    return OURS if point.ours else THEIRS
