"""Files of a benchmark: tables, pareto.png, grid.png, report.html, and summary.json for other runs."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import jinja2
import torch
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from latentloop.benchmark.by_set import SUMMARY, as_json, by_set_cells, by_set_header, cell_named
from latentloop.benchmark.comparison import TITLE, Comparison, MethodLine
from latentloop.benchmark.pareto import pareto_plot
from latentloop.benchmark.result_files import COMMAND
from latentloop.benchmark.tables import markdown, rows_as_csv, spreads_as_csv, table_cells, table_header
from latentloop.files import replacing
from latentloop.images import COMMENT, read_image, resample, to_uint8
from latentloop.ownership import Ours, beginning_with, mark, marked_by, refuse_foreign, with_entries

TILE, CAPTION = 192, 18
"""Side of an image in the grid, and height of the captions, in pixels."""
SHOWN = 12
"""Largest number of photos in the grid."""
TEXTS: dict[str, Ours] = {
    "results.csv": beginning_with("method,image,"),
    "summary.csv": beginning_with("method,figure,n,mean,"),
    SUMMARY: with_entries("name", "images", "conditions", "methods"),
    "table.md": beginning_with(f"# {TITLE}"),
    "report.html": beginning_with(f"<title>{TITLE}"),
}
"""Text files of a benchmark, with tests that recognize earlier ones."""
PLOTS = ("pareto.png", "grid.png")
"""Pictures of a benchmark, recognized by their marks."""


def refuse_strangers(out: Path) -> None:
    """Check that the benchmark's files would only replace those of an earlier run.

    Raises:
        UserError: A foreign file is in the way.
    """
    for name, ours in TEXTS.items():
        refuse_foreign([out / name], ours)
    refuse_foreign([out / name for name in PLOTS], marked_by(COMMAND))


def write_comparison(out: Path, comparison: Comparison) -> list[Path]:
    """Write all files into the folder of a benchmark, which has the reconstructions already; returns their paths.

    Raises:
        UserError: A file cannot be written.
    """
    pareto, grid = pareto_plot(comparison), picture_grid(out, comparison.lines)
    texts = {
        "results.csv": rows_as_csv(comparison),
        "summary.csv": spreads_as_csv(comparison),
        SUMMARY: as_json(comparison.means),
        "table.md": markdown(comparison),
    }
    files = {name: _encoded(text) for name, text in texts.items()} | {"pareto.png": pareto, "grid.png": grid}
    files["report.html"] = _encoded(_page(comparison, pareto, grid))
    for name, content in files.items():
        with replacing(out / name) as part:
            part.write_bytes(content)
    return [out / name for name in files]


def picture_grid(out: Path, lines: Sequence[MethodLine]) -> bytes:
    """Draw the first images in rows, with every method's reconstruction; returns a PNG."""
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
    buffer, texts = io.BytesIO(), PngInfo()
    texts.add_text(COMMENT, mark(COMMAND))
    canvas.save(buffer, format="png", pnginfo=texts)
    return buffer.getvalue()


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")  # file names may contain any bytes


def _tile(path: Path) -> Tensor:
    with torch.inference_mode():
        return resample(read_image(path), TILE)


def _page(comparison: Comparison, pareto: bytes, grid: bytes) -> str:
    environment = jinja2.Environment(loader=jinja2.PackageLoader("latentloop.benchmark"), autoescape=True)
    return environment.get_template("benchmark.html.j2").render(
        comparison=comparison,
        header=table_header(comparison),
        rows=table_cells(comparison),
        by_set_header=by_set_header(comparison),
        by_set_rows=by_set_cells(comparison),
        cell_named=cell_named(comparison),
        pareto=_data_uri(pareto),
        grid=_data_uri(grid),
    )


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
