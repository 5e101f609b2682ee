"""A self-contained HTML page about a set of reconstructions."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import jinja2
import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from latentloop.files import replacing
from latentloop.images import resample, to_uint8

THUMBNAIL = 320
"""Pixels of the pictures' sides."""
DIFFERENCE_RANGE = 0.5
"""Mean absolute difference, on [-1, 1], that gets the brightest colour."""


@dataclass(frozen=True)
class OnePass:
    """One-pass reconstruction: image and metrics of the network's own code."""

    image: Tensor
    """One-pass reconstruction, (1, 3, S, S) in [-1, 1]."""
    metrics: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class CloseUp:
    """The same part of a photo and of its reconstruction, at full size."""

    photo: Tensor
    """Crop of the aligned photo, (1, 3, C, C) in [-1, 1]."""
    reconstruction: Tensor
    """Crop of the reconstruction, in the same form."""


@dataclass(frozen=True)
class Row:
    """One reconstruction in the report, beside its photo."""

    name: str
    photo: Tensor
    """Aligned photo, (1, 3, S, S) in [-1, 1]; of `THUMBNAIL` pixels it takes least memory."""
    reconstruction: Tensor
    """Reconstruction of the photo, in the same form."""
    metrics: Mapping[str, float]
    seconds: float
    losses: Sequence[float]
    """Loss at the start and after each step."""
    full_size_steps: int = 0
    """Number of losses, the last ones, that have the crops at full size in them."""
    one_pass: OnePass | None = None
    """One-pass reconstruction, if the iterator started from it."""
    close_up: CloseUp | None = None
    """What a click on the pictures shows."""


@dataclass(frozen=True)
class Page:
    """Contents of a report."""

    title: str
    facts: Mapping[str, str]
    """Facts shown at the top, e.g. generator and device."""
    rows: Sequence[Row]
    failures: Mapping[str, str]
    """Error message of each file that failed."""
    left_out: int = 0
    """Number of reconstructions that are not shown, to keep the page small."""


def write_report(path: Path, page: Page) -> None:
    """Write a page with its pictures inside; the file appears whole.

    Raises:
        UserError: The file cannot be written.
    """
    environment = jinja2.Environment(loader=jinja2.PackageLoader("latentloop.embedding"), autoescape=True)
    means = _means([row.metrics for row in page.rows])
    html = environment.get_template("report.html.j2").render(
        page=page,
        cards=[_card(row) for row in page.rows],
        means=means,
        one_pass=_means([row.one_pass.metrics for row in page.rows if row.one_pass]),
        labels={name: label for name, label in LABELS.items() if name in means},
        difference_range=DIFFERENCE_RANGE,
    )
    with replacing(path) as part:
        part.write_text(html, encoding="utf-8", errors="backslashreplace")  # names of files may have any bytes


# Metric -> (what it is called, its digits, the arrow to the better side).
LABELS = {
    "mse": ("MSE", 4, "↓"),
    "psnr": ("PSNR, dB", 2, "↑"),
    "ssim": ("SSIM", 3, "↑"),
    "lpips_alex": ("LPIPS (alex)", 3, "↓"),
    "id": ("ID", 3, "↑"),
    "lpips_full": ("LPIPS, full size", 3, "↓"),
    "pattern": ("pattern", 2, "↓"),
    "pattern_photo": ("photo's pattern", 2, ""),
}


def difference(image: Tensor, target: Tensor) -> Tensor:
    """Draw the difference of two images (1, 3, S, S) as a heat map (1, 3, S, S): black is equal."""
    strength = (image - target).abs().mean(dim=1)[0] / DIFFERENCE_RANGE
    colours = mpl.colormaps["inferno"](strength.clamp(0, 1).cpu().numpy())[..., :3]
    return 2 * torch.from_numpy(colours).permute(2, 0, 1)[None].float() - 1


def _card(row: Row) -> dict[str, object]:
    photo, reconstruction = resample(row.photo, THUMBNAIL), resample(row.reconstruction, THUMBNAIL)
    pictures = {"photo": photo}
    if row.one_pass:
        pictures["one pass"] = resample(row.one_pass.image, THUMBNAIL)
    pictures |= {"reconstruction": reconstruction, "difference": difference(reconstruction, photo)}
    return {
        "row": row,
        "pictures": {caption: _jpeg(image) for caption, image in pictures.items()},
        "curve": _curve(row.losses, row.full_size_steps) if len(row.losses) > 1 else None,
        "close_up": _close_up(row.close_up) if row.close_up else None,
    }


def _close_up(close_up: CloseUp) -> dict[str, str]:
    return {"photo": _jpeg(close_up.photo), "reconstruction": _jpeg(close_up.reconstruction)}


def _means(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each metric over the rows that have it; those that no row has are missing."""
    columns = {name: [row[name] for row in metrics if name in row] for name in LABELS}
    return {name: fmean(values) for name, values in columns.items() if values}


def _jpeg(image: Tensor) -> str:
    buffer = io.BytesIO()
    Image.fromarray(to_uint8(image[0])).save(buffer, format="jpeg", quality=90)
    return _data_uri("image/jpeg", buffer.getvalue())


def _curve(losses: Sequence[float], full_size_steps: int = 0) -> str:
    figure = Figure(figsize=(3.2, 2.2), layout="constrained")
    axes, begun = figure.subplots(), len(losses) - full_size_steps
    axes.plot(losses[:begun], color="#c2410c", linewidth=1.5)
    if full_size_steps:  # another loss, which does not compare
        axes.plot(range(begun, len(losses)), losses[begun:], color="#0f766e", linewidth=1.5, label="with crops")
        axes.legend(frameon=False, fontsize="small")
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.grid(visible=True, alpha=0.25)
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "latentloop"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _data_uri("image/svg+xml", buffer.getvalue())


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
