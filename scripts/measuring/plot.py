"""Plot of the comparison of methods: LPIPS against seconds."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latentloop.files import replacing
from measuring.methods import Images, Paired, chosen, tables
from measuring.records import read_record
from measuring.sources import ROOT
from measuring.tables import SETS

PLOT = ROOT / "docs" / "images" / "methods-seconds.png"
"""File of the plot."""
OURS, THEIRS = "#d9622b", "#2b6cb0"
"""Colours of our methods and of the earlier ones."""
METRIC = "lpips_alex"
"""Metric of the plot."""


def write_plot(path: Path = PLOT) -> list[Path]:
    """Draw the main table of each image set into a PNG; returns its path if there are results."""
    record = read_record("methods")
    figure = methods_figure(record["sets"]) if record else None
    if figure is None:
        return []
    with replacing(path) as part:
        figure.savefig(part, format="png", metadata={"Software": None})
    return [path]


def methods_figure(sets: Mapping[str, Mapping[str, Images]]) -> Figure | None:
    """Draw LPIPS against seconds, a panel for each image set; None if no set has results."""
    panels = {name: found[0] for name in SETS if (found := tables(sets.get(name, {})))}
    if not panels:
        return None
    figure = Figure(figsize=(9, 5.6 * len(panels)), layout="constrained", dpi=110)
    for axes, (name, paired) in zip(figure.subplots(len(panels), squeeze=False).flat, panels.items(), strict=True):
        _draw(axes, paired)
        count = len(paired.images)
        axes.set_title(f"{SETS[name]}, mean of {count} photo{'s' * (count > 1)}", fontsize=13)
    return figure


def _draw(axes: Axes, paired: Paired) -> None:
    rows = [row for row in paired.rows if METRIC in row.figures]
    for i, row in enumerate(rows):
        ours, value = chosen(row.method).method.ours, row.figures[METRIC]
        colour, marker = (OURS, "o") if ours else (THEIRS, "s")
        axes.scatter(row.seconds, value, color=colour, marker=marker, s=70, zorder=2)
        # Above and below in turn, so that names of neighbours do not lie on each other.
        offset, side = ((0, 10), "bottom") if i % 2 == 0 else ((0, -10), "top")
        axes.annotate(
            chosen(row.method).title,
            (row.seconds, value),
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va=side,
            fontsize=10,
        )
    axes.set(xscale="log", xlabel="seconds a photo", ylabel="LPIPS (alex), lower is better")
    axes.margins(x=0.2)
    most = max((row.figures[METRIC] for row in rows), default=1)
    axes.set_ylim(-0.06 * most, 1.2 * most)  # room for a name below the lowest point
    axes.grid(visible=True, which="both", alpha=0.2)
