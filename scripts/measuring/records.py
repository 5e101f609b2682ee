"""Records of measurements: figures with all that says where they are from, one JSON file each in docs/figures."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from latentloop.errors import UserError
from latentloop.files import replacing
from latentloop.version import __version__
from measuring.machine import Machine
from measuring.measurement import Measurement
from measuring.sources import ROOT

FIGURES = ROOT / "docs" / "figures"
"""Folder of the records."""
State = Literal["fresh", "stale", "missing"]
Record = Mapping[str, Any]
"""Content of a JSON file: figures, command, date, minutes, machine, latentloop (version), depends (a checksum)."""


def today() -> str:
    """Return the present date, such as 2026-11-29 (UTC)."""
    return datetime.now(tz=UTC).date().isoformat()


def make_record(measurement: Measurement, figures: object, *, machine: Machine, minutes: float, depends: str) -> Record:
    """Put figures beside what they were made with.

    Args:
        measurement: Measurement that made them.
        figures: Its figures.
        machine: Machine that ran it.
        minutes: Minutes that it took.
        depends: Checksum of its sources before it ran.

    Raises:
        UserError: The sources are others now, so that nobody knows which ones made the figures.
    """
    if measurement.depends != depends:
        raise UserError(f"{measurement.name}: its sources changed while it ran; its figures are left out: run it again")
    return {
        "figures": figures,
        "command": measurement.shown,
        "date": today(),
        "minutes": round(minutes, 1),
        "machine": asdict(machine),
        "latentloop": __version__,
        "depends": depends,
    }


def write_record(name: str, record: Record, *, folder: Path = FIGURES) -> Path:
    """Write a record; returns its file."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / f"{name}.json") as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return folder / f"{name}.json"


def read_record(name: str, *, folder: Path = FIGURES) -> Record | None:
    """Read a record; None if there is none."""
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    content: Record = json.loads(path.read_text(encoding="utf-8"))
    return content


def state_of(measurement: Measurement, record: Record | None) -> State:
    """Compare a record with the sources that there are now."""
    if record is None:
        return "missing"
    return "fresh" if record["depends"] == measurement.depends else "stale"
