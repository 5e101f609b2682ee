import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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


def plot(points: dict[str, tuple[float, float]], *columns: str) -> Figure:
    lines = [
        MethodLine(
            name,
            name,
            "",
            name.startswith(("h", "o")),
            [Result(name, "a", dict.fromkeys(columns, value), seconds, None, 1, 1)],
        )
        for name, (seconds, value) in points.items()
    ]
    figure = pareto_figure(Comparison("toys", {}, {}, columns, lines))
    figure.draw_without_rendering()
    return figure


def places(axes: Axes) -> dict[str, list[float]]:
    return {str(dots.get_label()): np.asarray(dots.get_offsets())[0].tolist() for dots in axes.collections}


CASES: dict[str, dict[str, tuple[float, float]]] = {
    "measured": MEASURED,
    "alone": {"one-pass": (0.1, 0.5)},
    "together": {f"a-method-of-many-{i}": (10 + i / 100, 0.2) for i in range(12)},
    "negative": {"a": (1, -0.2), "b": (2, 0.3)},
}


@pytest.mark.parametrize("points", CASES.values(), ids=CASES.keys())
def test_every_method_is_plotted_inside_every_panel_and_named_once(points: dict[str, tuple[float, float]]) -> None:
    figure = plot(points, "lpips_alex", "mse")
    for axes in figure.axes:
        assert places(axes) == {name: list(place) for name, place in points.items()}
        assert all(axes.bbox.contains(*place) for place in axes.transData.transform(list(points.values())))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(points)
    box = legend.get_window_extent()
    panels = [panel for axes in figure.axes if (panel := axes.get_tightbbox())]
    assert len(panels) == 2
    assert not any(box.overlaps(panel) for panel in panels)
    assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1


def test_methods_differ_in_colour_and_ours_from_the_earlier_ones_in_shape() -> None:
    (axes,) = plot(MEASURED, "lpips_alex").axes
    colours = {tuple(np.asarray(dots.get_facecolor())[0]) for dots in axes.collections}
    assert len(colours) == len(MEASURED)
    shapes = {str(dots.get_label()): len(np.asarray(dots.get_paths()[0].vertices)) for dots in axes.collections}
    ours = {shapes[name] for name in MEASURED if name.startswith(("h", "o"))}
    assert len(ours) == 1
    assert ours.isdisjoint(shapes[name] for name in MEASURED if not name.startswith(("h", "o")))


@pytest.mark.parametrize(("column", "front"), [("lpips_alex", ["b", "c"]), ("id", ["b", "d"])])
def test_the_line_joins_what_no_quicker_method_equals(column: str, front: list[str]) -> None:
    points = {"c": (3.0, 0.1), "b": (1.0, 0.3), "a": (2.0, 0.3), "d": (4.0, 0.5)}
    drawn = np.asarray(plot(points, column).axes[0].lines[0].get_xydata())
    assert drawn.tolist() == [list(points[name]) for name in front]
