from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from latentloop.benchmark.comparison import Comparison, MethodLine, Result
from latentloop.benchmark.pareto import pareto_figure

MEASURED = {
    "one-pass": (0.142, 0.376),
    "hybrid-50": (12.5, 0.082),
    "hybrid-100": (23.8, 0.047),
    "optimize-100": (24, 0.067),
    "image2stylegan-200": (87, 0.258),
    "stylegan-encoder-200": (139, 0.242),
    "projector-200": (106, 0.238),
    "projector-w+-200": (106, 0.162),
}


def panel(points: dict[str, tuple[float, float]], column: str = "lpips_alex") -> Axes:
    lines = [
        MethodLine(name, name, "", name.startswith("h"), [Result(name, "a", {column: value}, seconds, None, 1, 1)])
        for name, (seconds, value) in points.items()
    ]
    figure = pareto_figure(Comparison("toys", {}, {}, (column,), lines))
    figure.draw_without_rendering()
    return figure.axes[0]


def boxes(axes: Axes) -> dict[str, Bbox]:
    texts: list[Text] = list(axes.texts)
    return {text.get_text(): text.get_window_extent() for text in texts}


CASES: dict[str, dict[str, tuple[float, float]]] = {
    "measured": MEASURED,
    "alone": {"one-pass": (0.1, 0.5)},
    "together": {f"a-method-of-many-{i}": (10 + i / 100, 0.2) for i in range(12)},
    "negative": {"a": (1, -0.2), "b": (2, 0.3)},
}


@pytest.mark.parametrize("points", CASES.values(), ids=CASES.keys())
def test_names_cover_neither_each_other_nor_points(points: dict[str, tuple[float, float]]) -> None:
    axes = panel(points)
    named = boxes(axes)
    assert list(named) == [name for _, name in sorted((place, name) for name, place in points.items())]
    assert not [pair for pair in combinations(named, 2) if named[pair[0]].overlaps(named[pair[1]])]
    places = axes.transData.transform(list(points.values()))
    for box in named.values():
        assert axes.bbox.containsx(box.x0)
        assert axes.bbox.containsx(box.x1)
        assert axes.bbox.containsy(box.y0)
        assert axes.bbox.containsy(box.y1)
        assert not [place for place in places if box.contains(*place)]
    assert all(axes.bbox.contains(*place) for place in places)


def test_a_line_leads_to_names_that_had_to_move_and_only_to_those() -> None:
    axes = panel(CASES["together"])
    leaders = [line for line in axes.lines if line.get_transform() == axes.transAxes]
    assert 6 < len(leaders) < 12
    ends = [axes.transAxes.transform(np.asarray(line.get_xydata()))[1] for line in leaders]
    assert all(any(box.padded(1).contains(*end) for box in boxes(axes).values()) for end in ends)
    assert len(panel(CASES["alone"]).lines) == 1  # the front


def test_a_line_passes_no_other_point() -> None:
    seconds, values = (10.8, 10.3, 54.3, 54.1, 46.3, 35.8), (0.171, 0.162, 0.135, 0.176, 0.102, 0.162)
    points = {f"method-{i}": place for i, place in enumerate(zip(seconds, values, strict=True))}
    axes = panel(points)
    (leader,) = [line for line in axes.lines if line.get_transform() == axes.transAxes]
    start, end = axes.transAxes.transform(np.asarray(leader.get_xydata()))
    places = axes.transData.transform(list(points.values()))
    apart = np.linalg.norm(np.linspace(start, end, 50)[:, None] - places, axis=-1).min(axis=0)
    assert (apart < 4).sum() == 1  # its own


@pytest.mark.parametrize(("column", "front"), [("lpips_alex", ["b", "c"]), ("id", ["b", "d"])])
def test_the_line_joins_what_no_quicker_method_equals(column: str, front: list[str]) -> None:
    points = {"c": (3.0, 0.1), "b": (1.0, 0.3), "a": (2.0, 0.3), "d": (4.0, 0.5)}
    drawn = np.asarray(panel(points, column).lines[0].get_xydata())
    assert drawn.tolist() == [list(points[name]) for name in front]
