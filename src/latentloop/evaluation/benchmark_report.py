"""What a benchmark shows: results.csv, summary.csv, table.md, pareto.png, grid.png and report.html."""

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import jinja2
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor

from latentloop.evaluation.summary import Spread, summarize
from latentloop.files import replacing
from latentloop.images import read_image, resample, to_uint8

LABELS = {
    "mse": "MSE",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "lpips_alex": "LPIPS (alex)",
    "lpips_squeeze": "LPIPS (squeeze)",
    "lpips_vgg": "LPIPS (vgg)",
    "id": "ID",
}
DIGITS = {"mse": 4, "psnr": 2}
PLOTTED = ("lpips_alex", "mse", "lpips_squeeze", "lpips_vgg", "id")
"""Figures against seconds, as far as there are any."""
GREATER_IS_BETTER = frozenset({"psnr", "ssim", "ms_ssim", "id"})
TILE, CAPTION = 192, 18
"""Pixels of a picture in the grid, and of the words above it."""
SHOWN = 12
"""Images in the grid."""
PANELS = 3
"""Plots in a row."""
OURS, THEIRS = "#c2410c", "#57534e"


@dataclass(frozen=True)
class Result:
    """A method on an image, as a row of results.csv."""

    method: str
    image: str
    figures: Mapping[str, float]
    seconds: float
    memory: int | None
    calls: int
    batch: int


@dataclass(frozen=True)
class MethodLine:
    """A method in the tables."""

    name: str
    title: str
    note: str
    """Its source, and what differs from it."""
    ours: bool
    results: Sequence[Result]

    @property
    def seconds(self) -> float:
        """Median of an image."""
        return median(result.seconds for result in self.results)

    def spread(self, figure: str) -> Spread:
        """Of the images."""
        return summarize([result.figures[figure] for result in self.results])


@dataclass(frozen=True)
class Comparison:
    """All that is shown."""

    title: str
    facts: Mapping[str, str]
    """How it was measured: data, protocol, generator, device ..."""
    columns: Sequence[str]
    lines: Sequence[MethodLine]
    """The methods that have results, all on the same images."""
    left_out: Sequence[str] = ()
    """What was wrong with images and methods, a line each."""


def on_the_same_images(results: Sequence[Result]) -> list[Result]:
    """Those of the images that every method has, or all if there is no such image: means must be of the same ones."""
    images: dict[str, set[str]] = {}
    for result in results:
        images.setdefault(result.method, set()).add(result.image)
    common = set.intersection(*images.values()) if images else set()
    return [result for result in results if result.image in common] or list(results)


def write_comparison(out: Path, comparison: Comparison) -> list[Path]:
    """Write all files into the folder of a benchmark, whose pictures lie there already; returns their paths.

    Raises:
        UserError: They cannot be written.
    """
    pareto, grid = pareto_plot(comparison), picture_grid(out, comparison.lines)
    files: dict[str, bytes] = {
        "results.csv": rows_as_csv(comparison).encode(),
        "summary.csv": spreads_as_csv(comparison).encode(),
        "table.md": markdown(comparison).encode(),
        "pareto.png": pareto,
        "grid.png": grid,
        "report.html": _page(comparison, pareto, grid).encode(),
    }
    for name, content in files.items():
        with replacing(out / name) as part:
            part.write_bytes(content)
    return [out / name for name in files]


def rows_as_csv(comparison: Comparison) -> str:
    """A line for each method and image."""
    columns = comparison.columns
    rows = [["method", "image", *columns, "seconds", "peak_memory_bytes", "generator_calls", "batch"]]
    for line in comparison.lines:
        for r in line.results:
            figures = [r.figures[column] for column in columns]
            rows.append([str(x) for x in (line.name, r.image, *figures, r.seconds, r.memory or "", r.calls, r.batch)])
    return _csv(rows)


def spreads_as_csv(comparison: Comparison) -> str:
    """A line for each method and figure: mean, standard deviation, and where 95 % of means lie."""
    rows = [["method", "figure", "n", "mean", "standard_deviation", "low_95", "high_95"]]
    for line in comparison.lines:
        for column in comparison.columns:
            s = line.spread(column)
            rows.append([str(x) for x in (line.name, column, s.count, s.mean, s.deviation, s.low, s.high)])
    return _csv(rows)


def markdown(comparison: Comparison) -> str:
    """The table: means, standard deviations in brackets, medians of time."""
    lines = [f"# {comparison.title}", ""]
    lines += [f"- {name}: {value}" for name, value in comparison.facts.items()]
    header = table_header(comparison)
    lines += ["", f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    lines += [f"| {' | '.join(cells)} |" for cells in table_cells(comparison)]
    lines += ["", "Means and, in brackets, standard deviations; medians of seconds."]
    lines += [f"- {line.title}: {line.note}" for line in comparison.lines if line.note]
    lines += [f"- Left out: {reason}" for reason in comparison.left_out]
    return "\n".join(lines) + "\n"


def table_header(comparison: Comparison) -> list[str]:
    """What the columns are called."""
    return ["method", *(LABELS[column] for column in comparison.columns), "seconds", "GB", "calls", "n"]


def table_cells(comparison: Comparison) -> list[list[str]]:
    """A row of the table for each method."""
    rows = []
    for line in comparison.lines:
        cells = [line.title]
        for column in comparison.columns:
            spread, digits = line.spread(column), DIGITS.get(column, 3)
            cells.append(f"{spread.mean:.{digits}f} ({spread.deviation:.{digits}f})")
        memory = [r.memory for r in line.results if r.memory is not None]
        cells += [f"{line.seconds:.3g}", f"{max(memory) / 1e9:.1f}" if memory else "-"]
        rows.append([*cells, f"{median(r.calls for r in line.results):.0f}", str(len(line.results))])
    return rows


def pareto_plot(comparison: Comparison) -> bytes:
    """Figures against seconds, a PNG; lines join the methods that no quicker one equals."""
    plotted = [column for column in PLOTTED if column in comparison.columns]
    columns = min(PANELS, len(plotted))
    rows = -(-len(plotted) // columns)
    figure = Figure(figsize=(4.4 * columns, 3.4 * rows), layout="constrained", dpi=90)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, column in zip(panels, plotted, strict=False):
        _plot(axes, comparison.lines, column)
    for axes in panels[len(plotted) :]:
        axes.remove()
    figure.suptitle(comparison.title, fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _plot(axes: Axes, lines: Sequence[MethodLine], column: str) -> None:
    sign = -1 if column in GREATER_IS_BETTER else 1
    points = sorted((line.seconds, line.spread(column).mean, line.name, line.ours) for line in lines)
    for seconds, value, name, ours in points:
        axes.scatter(seconds, value, color=OURS if ours else THEIRS, zorder=3)
        axes.annotate(name, (seconds, value), xytext=(5, 4), textcoords="offset points", fontsize=7)
    front = [p for i, p in enumerate(points) if all(sign * p[1] < sign * other[1] for other in points[:i])]
    axes.plot([p[0] for p in front], [p[1] for p in front], color=OURS, linewidth=1, zorder=2)
    better = "higher" if sign < 0 else "lower"
    axes.set(xscale="log", xlabel="seconds an image", ylabel=f"{LABELS[column]}, {better} is better", ylim=(0, None))
    axes.set_xlim(points[0][0] / 2, points[-1][0] * 40)  # names are right of their points
    axes.grid(visible=True, which="both", alpha=0.2)


def picture_grid(out: Path, lines: Sequence[MethodLine]) -> bytes:
    """The first images, a row each: the photo and what every method made of it; a PNG."""
    names = list(dict.fromkeys(result.image for line in lines for result in line.results))[:SHOWN]
    folders = {"photos": "photo"} | {line.name: line.title for line in lines}
    canvas = Image.new("RGB", (TILE * len(folders), CAPTION + TILE * len(names)), "white")
    drawing = ImageDraw.Draw(canvas)
    for x, (folder, caption) in enumerate(folders.items()):
        drawing.text((TILE * x + 4, 3), caption, fill="black")
        for y, name in enumerate(names):
            path = out / folder / f"{name}.png"
            if path.is_file():
                canvas.paste(Image.fromarray(to_uint8(_tile(path)[0])), (TILE * x, CAPTION + TILE * y))
    buffer = io.BytesIO()
    canvas.save(buffer, format="png")
    return buffer.getvalue()


def _tile(path: Path) -> Tensor:
    with torch.inference_mode():
        return resample(read_image(path), TILE)


def _csv(rows: Sequence[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _page(comparison: Comparison, pareto: bytes, grid: bytes) -> str:
    environment = jinja2.Environment(loader=jinja2.PackageLoader("latentloop.evaluation"), autoescape=True)
    return environment.get_template("benchmark.html.j2").render(
        comparison=comparison,
        header=table_header(comparison),
        rows=table_cells(comparison),
        pareto=_data_uri(pareto),
        grid=_data_uri(grid),
    )


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
