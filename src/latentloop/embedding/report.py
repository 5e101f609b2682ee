"""Self-contained HTML report of reconstructions: each of a few, or an overview of many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from matplotlib.figure import Figure
from torch import Tensor

from latentloop.embedding.html import data_uri, svg_uri, write_html
from latentloop.embedding.labels import LABELS
from latentloop.embedding.overview import Overview, distribution
from latentloop.embedding.thumbnails import DIFFERENCE_RANGE, difference
from latentloop.images import jpeg_bytes, resample

THUMBNAIL = 320
"""Side of the report's pictures, in pixels."""
QUALITY, QUALITY_OF_MANY = 90, 80
"""JPEG quality of the pictures in reports of few and of many photos."""


@dataclass(frozen=True)
class CloseUp:
    """One region of a photo and of its reconstruction, at full size."""

    photo: Tensor
    """Crop of the aligned photo, (1, 3, C, C) in [-1, 1]."""
    reconstruction: Tensor
    """Crop of the reconstruction, (1, 3, C, C) in [-1, 1]."""


@dataclass(frozen=True)
class Pictures:
    """Pictures of one reconstruction; at `THUMBNAIL` pixels they take the least memory."""

    photo: Tensor
    """Aligned photo, (1, 3, S, S) in [-1, 1]."""
    reconstruction: Tensor
    """Reconstruction of the photo, (1, 3, S, S) in [-1, 1]."""
    one_pass: Tensor | None = None
    """One-pass reconstruction, if the iterator started from it."""
    close_up: CloseUp | None = None
    """Region shown after a click on the pictures."""


@dataclass(frozen=True)
class OnePass:
    """Metrics of the network's own code."""

    metrics: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class Row:
    """One reconstruction in the report."""

    name: str
    pictures: Pictures | None
    """Photo and reconstruction; None shows only the metrics."""
    metrics: Mapping[str, float]
    seconds: float
    losses: Sequence[float]
    """Loss at the start and after each step."""
    full_size_steps: int = 0
    """Number of losses at the end that include the full-size crops."""
    one_pass: OnePass | None = None
    """Metrics of the one-pass reconstruction, if the iterator started from it."""


@dataclass(frozen=True)
class Page:
    """Contents of a report."""

    title: str
    facts: Mapping[str, str]
    """Facts shown at the top, such as generator and device."""
    rows: Sequence[Row]
    failures: Mapping[str, str]
    """Error message of each file that failed."""
    overview: Overview | None = None
    """Summary of many photos, of which the rows are a selection; None if the rows are complete."""


def write_report(path: Path, page: Page) -> None:
    """Write a report with its pictures inside; the file appears whole or not at all.

    Raises:
        UserError: The file cannot be written.
    """
    many = page.overview
    measured = many.metrics if many else [row.metrics for row in page.rows]
    one_pass = many.one_pass if many else [row.one_pass.metrics for row in page.rows if row.one_pass]
    means = _means(measured)
    write_html(
        path,
        "report.html.j2",
        page=page,
        cards=[_card(row, QUALITY_OF_MANY if many else QUALITY) for row in page.rows],
        count=len(measured),
        means=means,
        one_pass=_means(one_pass),
        distribution=distribution(many.metrics) if many else None,
        labels={name: label for name, label in LABELS.items() if name in means},
        difference_range=DIFFERENCE_RANGE,
    )


def _card(row: Row, quality: int) -> dict[str, object]:
    shown = row.pictures
    return {
        "row": row,
        "pictures": _pictures(shown, quality) if shown else {},
        "curve": _curve(row.losses, row.full_size_steps) if len(row.losses) > 1 else None,
        "close_up": _close_up(shown.close_up) if shown and shown.close_up else None,
    }


def _pictures(shown: Pictures, quality: int) -> dict[str, str]:
    photo, reconstruction = resample(shown.photo, THUMBNAIL), resample(shown.reconstruction, THUMBNAIL)
    images = {"photo": photo}
    if shown.one_pass is not None:
        images["one pass"] = resample(shown.one_pass, THUMBNAIL)
    images |= {"reconstruction": reconstruction, "difference": difference(reconstruction, photo)}
    return {caption: _jpeg(image, quality) for caption, image in images.items()}


def _close_up(close_up: CloseUp) -> dict[str, str]:
    return {"photo": _jpeg(close_up.photo, QUALITY), "reconstruction": _jpeg(close_up.reconstruction, QUALITY)}


def _means(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Average each metric over the rows that have it; metrics without values are left out."""
    columns = {name: [row[name] for row in metrics if name in row] for name in LABELS}
    return {name: fmean(values) for name, values in columns.items() if values}


def _jpeg(image: Tensor, quality: int) -> str:
    return data_uri("image/jpeg", jpeg_bytes(image, quality=quality))


def _curve(losses: Sequence[float], full_size_steps: int = 0) -> str:
    figure = Figure(figsize=(3.2, 2.2), layout="constrained")
    axes, begun = figure.subplots(), len(losses) - full_size_steps
    axes.plot(losses[:begun], color="#c2410c", linewidth=1.5)
    if full_size_steps:  # another loss on another scale: a curve of its own
        axes.plot(range(begun, len(losses)), losses[begun:], color="#0f766e", linewidth=1.5, label="with crops")
        axes.legend(frameon=False, fontsize="small")
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.grid(visible=True, alpha=0.25)
    return svg_uri(figure)
