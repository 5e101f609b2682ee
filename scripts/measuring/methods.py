"""The comparison of methods: results of `latentloop bench` by method and photo, and means over common photos.

Runs on several days add methods and photos one by one. A photo is known by its name; the repository may lack it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, median
from typing import Any

from latentloop.benchmark.method_table import METHODS, ChosenMethod, choose_methods
from latentloop.errors import UserError
from measuring.machine import Machine
from measuring.sources import PACKAGE, checksum

COLUMNS = (
    *("mse", "psnr", "ssim", "lpips_alex", "lpips_squeeze", "lpips_vgg"),
    *("id", "lec", "lpips_full", "pattern", "pattern_photo"),
)
"""Metrics that are kept, in the order of the table."""
METHOD_NAMES = (
    *("one-pass", "two-looks", "instant", "balanced", "best", "hybrid", "image2stylegan", "image2stylegan++"),
    *("stylegan-encoder", "projector", "projector-w+", "pti", "dhr-like"),
)
"""Methods of the table, with their published numbers of steps; a list of the user's replaces them."""
PARTS = tuple(PACKAGE / "benchmark" / name for name in ("run.py", "setup.py"))
"""Modules that set methods up and run them."""
ASIDE = (
    *("latentloop/benchmark/comparison", "latentloop/benchmark/edit", "latentloop/benchmark/observer"),
    "latentloop/editing/",
)
"""Sources of tables, progress and edits, on which no method's results depend."""
OURS = (
    *("latentloop/benchmark/our_", "latentloop/encoders/", "latentloop/inversion/feature_"),
    *(f"latentloop/embedding/{name}" for name in ("beyond", "inverter", "job", "quality", "setup", "starts")),
)
"""Sources on which results of earlier methods do not depend; `embedding/components.py` loads their generator, too."""
THEIRS = ("latentloop/baselines/",)
"""Sources on which results of our methods do not depend."""
SHORT = 12
"""Digits of a checksum in the name of a folder."""
Images = Mapping[str, Any]
"""Results of a method by image: figures, seconds, calls, date, key, machine, depends."""
Sets = Mapping[str, Mapping[str, Images]]
"""Results by image set, method and image."""


@dataclass(frozen=True)
class Row:
    """Means of a method over photos."""

    method: str
    figures: Mapping[str, float]
    """Means of the metrics, by name; metrics that were not measured are left out."""
    seconds: float
    """Median seconds a photo."""


@dataclass(frozen=True)
class Paired:
    """Methods on the same photos."""

    images: Sequence[str]
    rows: Sequence[Row]
    """Rows of the table, the quickest method first."""
    counts: Mapping[str, int]
    """Number of photos that each metric's means are over."""


def depends(method: str) -> str:
    """Compute the checksum of what a method's results depend on."""
    return checksum(PARTS, without=without(method))


def without(method: str) -> tuple[str, ...]:
    """Return the beginnings of the paths of sources on which a method's results do not depend."""
    return ASIDE + (THEIRS if chosen(method).method.ours else OURS)


def by_sources(methods: Sequence[str]) -> dict[str, list[str]]:
    """Group methods, as users name them for `latentloop bench`, by the checksum of what their results depend on.

    Raises:
        UserError: There is no such method.
    """
    found: dict[str, list[str]] = {}
    for method in methods:
        try:
            (one,) = choose_methods([method])
        except ValueError as error:
            raise UserError(str(error)) from error
        found.setdefault(depends(one.name), []).append(method)
    return found


def chosen(name: str) -> ChosenMethod:
    """Parse the name of a method's folder, such as "hybrid-50".

    Raises:
        LookupError: There is no such method.
    """
    key, _, steps = name.rpartition("-")
    found = ChosenMethod(key, int(steps)) if key and steps.isdecimal() else ChosenMethod(name, 0)
    if found.key not in METHODS:
        raise LookupError(f"{name}: no method of latentloop bench")
    return found


def collect(
    folder: Path, *, before: Mapping[str, Images], machine: Machine, sources: str | None = None
) -> dict[str, dict[str, Any]]:
    """Add the results of a benchmark's folder to those of an image set.

    A result that is there already stays as it is, with the date and the sources that made it.

    Args:
        folder: Folder `--out` of `latentloop bench`.
        before: Results by method and image.
        machine: Machine that made new results.
        sources: Checksum of the sources that made all results of the folder; None for the present ones, if new.

    Raises:
        FileNotFoundError: The folder has no results.
    """
    found: dict[str, dict[str, Any]] = {method: dict(images) for method, images in before.items()}
    files = sorted(path for path in folder.glob("*/*.json") if _is_method(path.parent.name))
    if not files:
        raise FileNotFoundError(f"{folder}: no results of latentloop bench")
    for path in files:
        method, content = path.parent.name, json.loads(path.read_text(encoding="utf-8"))
        images, result = found.setdefault(method, {}), _result(content)
        known = images.get(path.stem, {})
        same = all(known.get(name) == value for name, value in result.items())
        if same and sources in (None, known["depends"]):
            continue
        date = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC).date().isoformat()
        # The load when results are collected says nothing about the load when they were made.
        made = {"date": date, "machine": asdict(replace(machine, load=None)), "depends": sources or depends(method)}
        images[path.stem] = {**result, **made}
    return found


def _is_method(name: str) -> bool:
    try:
        chosen(name)
    except LookupError:
        return False
    return True


def _result(content: Mapping[str, Any]) -> dict[str, Any]:
    """Take what is kept from a result's file: five digits of each metric by the protocol `strict`."""
    figures: dict[str, float] = {}
    for protocol, values in content["figures"].items():
        if protocol.startswith("strict"):
            figures |= {name: float(f"{values[name]:.5g}") for name in COLUMNS if name in values}
    seconds = float(f"{content['cost']['seconds']:.4g}")
    return {"figures": figures, "seconds": seconds, "calls": content["cost"]["calls"], "key": content["key"]}


def stale(sets: Sets) -> Iterator[str]:
    """Name the results whose sources have changed, such as "samples: hybrid-50 (2 photos)"."""
    now = {method: depends(method) for methods in sets.values() for method in methods}
    for name, methods in sets.items():
        for method, images in methods.items():
            old = sum(result["depends"] != now[method] for result in images.values())
            if old:
                yield f"{name}: {method} ({old} photo{'s' * (old > 1)})"


def tables(methods: Mapping[str, Images]) -> list[Paired]:
    """Pair methods over photos: a table of the most photos and methods, and one for the methods that lack some of them.

    Means are over the photos that all rows of a table have.
    """
    sets = {method: frozenset(images) for method, images in methods.items() if images}
    if not sets:
        return []
    photos = max(sorted(set(sets.values()), key=sorted), key=lambda one: len(one) * len(_with(sets, one)))
    fewer = {one & photos for one in sets.values()} - {frozenset(), photos}
    return [
        _paired(methods, one, _with(sets, one))
        for one in (photos, *sorted(fewer, key=lambda one: (-len(one), *sorted(one))))
    ]


def _with(sets: Mapping[str, frozenset[str]], photos: frozenset[str]) -> list[str]:
    return [method for method, its in sets.items() if its >= photos]


def _paired(methods: Mapping[str, Images], photos: frozenset[str], names: Sequence[str]) -> Paired:
    results = {name: {photo: methods[name][photo] for photo in sorted(photos)} for name in names}
    measured = {column: common for column in COLUMNS if (common := _measured(results, column))}
    rows = [
        Row(
            name,
            {
                column: fmean(its[photo]["figures"][column] for photo in common)
                for column, common in measured.items()
                if all(column in its[photo]["figures"] for photo in common)
            },
            median(result["seconds"] for result in its.values()),
        )
        for name, its in results.items()
    ]
    counts = {column: len(common) for column, common in measured.items()}
    return Paired(sorted(photos), sorted(rows, key=lambda row: row.seconds), counts)


def _measured(results: Mapping[str, Images], column: str) -> list[str]:
    """Find the photos on which all methods have a metric, but for methods that have it nowhere.

    Photos with too few pixels have no figures at full size.
    """
    sets = [{photo for photo, one in its.items() if column in one["figures"]} for its in results.values()]
    return sorted(set.intersection(*(one for one in sets if one))) if any(sets) else []
