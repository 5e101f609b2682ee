"""Summary files of an embedding run: results.json and report.html."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from latentloop.devices import describe_device
from latentloop.embedding.inverter import Figures
from latentloop.embedding.job import Embedded, Failed, Outcome
from latentloop.embedding.report import THUMBNAIL, OnePass, Page, Row, write_report
from latentloop.embedding.result_folder import ResultFolder
from latentloop.files import replacing
from latentloop.images import read_image, resample

SHOWN = 300
"""Reconstructions that a report shows; a browser chokes on many more."""


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
    with replacing(folder.path / "results.json") as part:
        part.write_text(json.dumps(results, indent=2, allow_nan=False), encoding="utf-8")
    report = folder.path / "report.html"
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
        title="latentloop: photos and their reconstructions",
        facts=facts,
        rows=[_row(folder, outcome) for outcome in embedded[:SHOWN]],
        failures={str(outcome.photo): outcome.reason for outcome in failed},
        left_out=max(0, len(embedded) - SHOWN),
    )


def _one_pass(picture: Path, figures: Figures) -> OnePass:
    return OnePass(resample(read_image(picture), THUMBNAIL), figures.metrics, figures.seconds)


def _row(folder: ResultFolder, outcome: Embedded) -> Row:
    paths, result = folder.paths(outcome.name), folder.read(outcome.name)
    return Row(
        name=outcome.name,
        photo=resample(read_image(paths.aligned), THUMBNAIL),
        reconstruction=resample(read_image(paths.reconstruction), THUMBNAIL),
        metrics=outcome.figures.metrics,
        seconds=outcome.figures.seconds,
        one_pass=_one_pass(paths.one_pass, outcome.one_pass) if outcome.one_pass else None,
        losses=result.losses if result else [],
    )
