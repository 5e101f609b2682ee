"""Summary files of an embedding run: results.json and report.html."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentloop.devices import describe_device
from latentloop.embedding.inverter import Figures
from latentloop.embedding.outcomes import Embedded, Failed, Outcome
from latentloop.embedding.report import THUMBNAIL, CloseUp, OnePass, Page, Row, write_report
from latentloop.embedding.result_folder import REPORT, RESULTS, TITLE, ResultFolder
from latentloop.evaluation.measure import EVALUATION_SIZE
from latentloop.files import replacing
from latentloop.images import read_image, resample

SHOWN = 300
"""Reconstructions that a report shows; a browser chokes on many more."""
CLOSE_UPS = 100
"""Reconstructions that it shows at full size, too: each takes about 0.2 MB."""
CLOSE_UP_SIZE, CLOSE_UP_TOP = 512, 0.15
"""Side in pixels of what is shown at full size, hair and eyes, and its upper edge as a share of the image's height."""


@dataclass(frozen=True)
class Run:
    """Settings of a run, for its summary files."""

    generator: str
    device: torch.device
    settings: Mapping[str, Any]


def write_results(folder: ResultFolder, outcomes: Sequence[Outcome], run: Run) -> Path:
    """Write results.json and report.html about the outcomes of a run; returns the report's path.

    Raises:
        UserError: They cannot be written.
    """
    embedded = [outcome for outcome in outcomes if isinstance(outcome, Embedded)]
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    results = {
        "photos": [_record(folder, outcome) for outcome in embedded],
        "failed": [{"file": str(outcome.photo), "error": outcome.reason} for outcome in failed],
        "generator": run.generator,
        "settings": dict(run.settings),
        "device": describe_device(run.device),
        "versions": {name: version(name) for name in ("latentloop", "torch", "numpy", "pillow")},
    }
    with replacing(folder.path / RESULTS) as part:
        part.write_text(json.dumps(results, indent=2, allow_nan=False), encoding="utf-8")
    report = folder.path / REPORT
    write_report(report, _page(folder, embedded, failed, run))
    return report


def _record(folder: ResultFolder, outcome: Embedded) -> dict[str, Any]:
    return {
        "file": str(outcome.photo),
        "name": outcome.name,
        **outcome.figures.as_json(),
        **({"one_pass": outcome.one_pass.as_json()} if outcome.one_pass else {}),
        **folder.paths(outcome.name).relative_to(folder.path, one_pass=outcome.one_pass is not None),
    }


def _page(folder: ResultFolder, embedded: Sequence[Embedded], failed: Iterable[Failed], run: Run) -> Page:
    shown = {k: v for k, v in run.settings.items() if k != "generator" and not k.endswith("sha256")}
    facts = {
        "generator": run.generator,
        "device": describe_device(run.device),
        "settings": ", ".join(f"{name} {value}" for name, value in shown.items()),
        "latentloop": version("latentloop"),
    }
    return Page(
        title=TITLE,
        facts=facts,
        rows=[_row(folder, outcome, closer=i < CLOSE_UPS) for i, outcome in enumerate(embedded[:SHOWN])],
        failures={str(outcome.photo): outcome.reason for outcome in failed},
        left_out=max(0, len(embedded) - SHOWN),
    )


def _one_pass(picture: Path, figures: Figures) -> OnePass:
    return OnePass(resample(read_image(picture), THUMBNAIL), figures.metrics, figures.seconds)


def _row(folder: ResultFolder, outcome: Embedded, *, closer: bool) -> Row:
    paths, result = folder.paths(outcome.name), folder.read(outcome.name)
    photo, reconstruction = read_image(paths.aligned), read_image(paths.reconstruction)
    return Row(
        name=outcome.name,
        photo=resample(photo, THUMBNAIL),
        reconstruction=resample(reconstruction, THUMBNAIL),
        metrics=outcome.figures.metrics,
        seconds=outcome.figures.seconds,
        one_pass=_one_pass(paths.one_pass, outcome.one_pass) if outcome.one_pass else None,
        losses=result.losses if result else [],
        full_size_steps=result.full_size_steps if result else 0,
        close_up=_close_up(photo, reconstruction) if closer else None,
    )


def _close_up(photo: Tensor, reconstruction: Tensor) -> CloseUp | None:
    """Hair and eyes at full size; None where a thumbnail shows all there is."""
    size = reconstruction.shape[-1]
    if size <= EVALUATION_SIZE:
        return None
    side = min(CLOSE_UP_SIZE, size)
    left, top = (size - side) // 2, min(round(CLOSE_UP_TOP * size), size - side)
    shown = (slice(None), slice(None), slice(top, top + side), slice(left, left + side))
    return CloseUp(resample(photo, size)[shown].clone(), reconstruction[shown].clone())  # not views of whole images
