"""Summary files of an embedding run: results.json and report.html, with pages if there are many photos."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentloop.devices import describe_device
from latentloop.embedding.outcomes import Embedded, Failed, Outcome
from latentloop.embedding.overview import Overview, looked_at_first
from latentloop.embedding.pages import Line, delete_pages, write_pages
from latentloop.embedding.record import record_of
from latentloop.embedding.report import THUMBNAIL, CloseUp, OnePass, Page, Pictures, Row, write_report
from latentloop.embedding.result_folder import ResultFolder, ResultPaths
from latentloop.embedding.summary_files import FEW, REPORT, RESULTS, TITLE
from latentloop.embedding.thumbnails import thumbnail_of
from latentloop.evaluation.measure import EVALUATION_SIZE
from latentloop.files import replacing
from latentloop.images import read_image, resample

CLOSE_UPS = 100
"""Number of reconstructions shown at full size, too, in a report of few photos: each adds about 0.2 MB."""
CLOSE_UP_SIZE, CLOSE_UP_TOP = 512, 0.15
"""Side in pixels of the full-size region with hair and eyes, and its top as a share of the image's height."""


@dataclass(frozen=True)
class Run:
    """Settings of a run, for its summary files."""

    generator: str
    device: torch.device
    settings: Mapping[str, Any]
    pictures: bool = True
    """True shows pictures in the report."""


def write_results(folder: ResultFolder, outcomes: Sequence[Outcome], run: Run) -> Path:
    """Write results.json and report.html about the outcomes of a run; returns the report's path.

    Raises:
        UserError: A file cannot be written.
    """
    embedded = [outcome for outcome in outcomes if isinstance(outcome, Embedded)]
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    results = {
        "photos": [record_of(outcome, folder) for outcome in embedded],
        "failed": [record_of(outcome, folder) for outcome in failed],
        "generator": run.generator,
        "settings": dict(run.settings),
        "device": describe_device(run.device),
        "versions": {name: version(name) for name in ("latentloop", "torch", "numpy", "pillow")},
    }
    with replacing(folder.path / RESULTS) as part:
        part.write_text(json.dumps(results, indent=2, allow_nan=False), encoding="utf-8")
    report = folder.path / REPORT
    page = Page(TITLE, _facts(run), rows=[], failures={str(outcome.photo): outcome.reason for outcome in failed})
    few = len(embedded) <= FEW
    write_report(report, (_page_of_few if few else _page_of_many)(page, folder, embedded, run))
    if few:
        delete_pages(folder.path, beyond=0)
    return report


def _facts(run: Run) -> dict[str, str]:
    shown = {k: v for k, v in run.settings.items() if k != "generator" and not k.endswith("sha256")}
    return {
        "generator": run.generator,
        "device": describe_device(run.device),
        "settings": ", ".join(f"{name} {value}" for name, value in shown.items()),
        "latentloop": version("latentloop"),
    }


def _page_of_few(page: Page, folder: ResultFolder, embedded: Sequence[Embedded], run: Run) -> Page:
    rows = [_row(folder, one, run, closer=i < CLOSE_UPS) for i, one in enumerate(embedded)]
    return replace(page, rows=rows)


def _page_of_many(page: Page, folder: ResultFolder, embedded: Sequence[Embedded], run: Run) -> Page:
    """Build the first page of a report, and write the other pages, which show all photos."""
    metrics = [one.figures.metrics for one in embedded]
    worst, others = looked_at_first(metrics)
    overview = Overview(
        metrics=metrics,
        one_pass=[one.one_pass.metrics for one in embedded if one.one_pass],
        headings={0: f"The {len(worst)} with the highest LPIPS", len(worst): f"{len(others)} others, at random"},
        pages=write_pages(folder.path, [_line(folder, one, run) for one in embedded]),
    )
    return replace(page, rows=[_row(folder, embedded[i], run) for i in (*worst, *others)], overview=overview)


def _line(folder: ResultFolder, outcome: Embedded, run: Run) -> Line:
    paths, figures = folder.paths(outcome.name), outcome.figures
    shown = outcome.pictures and run.pictures
    thumbnail = thumbnail_of(paths, one_pass=outcome.one_pass is not None) if shown else None
    return Line(outcome.name, thumbnail, paths.reconstruction, figures.metrics, figures.seconds)


def _row(folder: ResultFolder, outcome: Embedded, run: Run, *, closer: bool = False) -> Row:
    result, first = folder.read(outcome.name), outcome.one_pass
    return Row(
        name=outcome.name,
        pictures=_pictures(folder.paths(outcome.name), outcome, closer=closer) if run.pictures else None,
        metrics=outcome.figures.metrics,
        seconds=outcome.figures.seconds,
        one_pass=OnePass(first.metrics, first.seconds) if first else None,
        losses=result.losses if result else [],
        full_size_steps=result.full_size_steps if result else 0,
    )


def _pictures(paths: ResultPaths, outcome: Embedded, *, closer: bool) -> Pictures | None:
    if not outcome.pictures:
        return None
    photo, reconstruction = read_image(paths.aligned), read_image(paths.reconstruction)
    return Pictures(
        photo=resample(photo, THUMBNAIL),
        reconstruction=resample(reconstruction, THUMBNAIL),
        one_pass=resample(read_image(paths.one_pass), THUMBNAIL) if outcome.one_pass else None,
        close_up=_close_up(photo, reconstruction) if closer else None,
    )


def _close_up(photo: Tensor, reconstruction: Tensor) -> CloseUp | None:
    """Crop hair and eyes at full size; None if the image is no larger than its thumbnail."""
    size = reconstruction.shape[-1]
    if size <= EVALUATION_SIZE:
        return None
    side = min(CLOSE_UP_SIZE, size)
    left, top = (size - side) // 2, min(round(CLOSE_UP_TOP * size), size - side)
    shown = (slice(None), slice(None), slice(top, top + side), slice(left, left + side))
    return CloseUp(resample(photo, size)[shown].clone(), reconstruction[shown].clone())  # not views of whole images
