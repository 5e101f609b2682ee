"""What a benchmark shows: results.csv, table.md, pareto.png, grid.png and report.html."""

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import jinja2
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor

from latentloop.evaluation.summary import summarize
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
QUALITY = "lpips_alex"
TILE, CAPTION = 192, 18
"""Pixels of a picture in the grid, and of the words above it."""
SHOWN = 12
"""Images in the grid."""


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
    """What differs from what was published; may be empty."""
    results: Sequence[Result]

    @property
    def seconds(self) -> float:
        """Median of an image."""
        return median(result.seconds for result in self.results)

    def mean(self, figure: str) -> float:
        """Of the images."""
        return summarize([result.figures[figure] for result in self.results]).mean


@dataclass(frozen=True)
class Summary:
    """All that is shown."""

    title: str
    facts: Mapping[str, str]
    """How it was measured: data, protocol, generator, device ..."""
    columns: Sequence[str]
    lines: Sequence[MethodLine]
    """The methods that have results."""
    left_out: Sequence[str] = ()
    """What was wrong with images and methods, a line each."""


def write_benchmark(out: Path, summary: Summary) -> list[Path]:
    """Write all files into the folder of a benchmark, whose pictures lie there already; returns their paths.

    Raises:
        UserError: They cannot be written.
    """
    table, pareto, grid = markdown(summary), pareto_plot(summary), picture_grid(out, summary.lines)
    html = _page(summary, pareto, grid)
    files: dict[str, bytes] = {
        "results.csv": rows_as_csv(summary).encode(),
        "table.md": table.encode(),
        "pareto.png": pareto,
        "grid.png": grid,
        "report.html": html.encode(),
    }
    for name, content in files.items():
        with replacing(out / name) as part:
            part.write_bytes(content)
    return [out / name for name in files]


def rows_as_csv(summary: Summary) -> str:
    """A line for each method and image."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["method", "image", *summary.columns, "seconds", "peak_memory_bytes", "generator_calls", "batch"])
    for line in summary.lines:
        for r in line.results:
            figures = [r.figures[column] for column in summary.columns]
            writer.writerow([line.name, r.image, *figures, r.seconds, r.memory, r.calls, r.batch])
    return stream.getvalue()


def markdown(summary: Summary) -> str:
    """The table: means, standard deviations in brackets, 95 % intervals of LPIPS, medians of time."""
    header = ["method", *(LABELS[column] for column in summary.columns), "LPIPS, 95 %", "seconds", "GB", "calls", "n"]
    lines = [f"# {summary.title}", ""]
    lines += [f"- {name}: {value}" for name, value in summary.facts.items()]
    lines += ["", f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    lines += [f"| {' | '.join(cells)} |" for cells in table_cells(summary)]
    lines += ["", "Means and, in brackets, standard deviations; medians of seconds."]
    lines += [f"- {line.title}: {line.note}" for line in summary.lines if line.note]
    lines += [f"- Left out: {reason}" for reason in summary.left_out]
    return "\n".join(lines) + "\n"


def table_cells(summary: Summary) -> list[list[str]]:
    """A row of the table for each method."""
    rows = []
    for line in summary.lines:
        cells = [line.title]
        for column in summary.columns:
            found, digits = summarize([r.figures[column] for r in line.results]), DIGITS.get(column, 3)
            cells.append(f"{found.mean:.{digits}f} ({found.deviation:.{digits}f})")
        quality = summarize([r.figures[QUALITY] for r in line.results])
        memory = [r.memory for r in line.results if r.memory is not None]
        cells += [
            f"{quality.low:.3f} to {quality.high:.3f}",
            f"{line.seconds:.3g}",
            f"{max(memory) / 1e9:.1f}" if memory else "-",
            f"{median(r.calls for r in line.results):.0f}",
            str(len(line.results)),
        ]
        rows.append(cells)
    return rows


def pareto_plot(summary: Summary) -> bytes:
    """Quality against seconds, a PNG; the line joins the methods that no other beats in both."""
    figure = Figure(figsize=(7, 4.5), layout="constrained", dpi=130)
    axes = figure.subplots()
    points = sorted((line.seconds, line.mean(QUALITY), line.name) for line in summary.lines)
    ours = {line.name for line in summary.lines if line.title.startswith("Ours")}
    for seconds, quality, name in points:
        axes.scatter(seconds, quality, color="#c2410c" if name in ours else "#57534e", zorder=3)
        axes.annotate(name, (seconds, quality), xytext=(5, 4), textcoords="offset points", fontsize=8)
    front = [p for i, p in enumerate(points) if all(p[1] < other[1] for other in points[:i])]
    axes.plot([p[0] for p in front], [p[1] for p in front], color="#c2410c", linewidth=1, zorder=2)
    axes.set(xscale="log", xlabel="seconds an image (median)", ylabel=f"{LABELS[QUALITY]}, mean", ylim=(0, None))
    axes.margins(x=0.25)
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.set_title(summary.title, fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def picture_grid(out: Path, lines: Sequence[MethodLine]) -> bytes:
    """The first images, a row each: the photo and what every method made of it; a PNG."""
    names = list(dict.fromkeys(result.image for line in lines for result in line.results))[:SHOWN]
    columns = ["photo", *(line.title for line in lines)]
    folders = ["photos", *(line.name for line in lines)]
    canvas = Image.new("RGB", (TILE * len(columns), CAPTION + TILE * len(names)), "white")
    drawing = ImageDraw.Draw(canvas)
    for x, (caption, folder) in enumerate(zip(columns, folders, strict=True)):
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


def _page(summary: Summary, pareto: bytes, grid: bytes) -> str:
    environment = jinja2.Environment(loader=jinja2.PackageLoader("latentloop.evaluation"), autoescape=True)
    return environment.get_template("benchmark.html.j2").render(
        summary=summary,
        header=[LABELS[column] for column in summary.columns],
        rows=table_cells(summary),
        pareto=_data_uri(pareto),
        grid=_data_uri(grid),
    )


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
