"""Tables of the documentation, in Markdown, from the records of measurements."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from latentloop.benchmark.comparison import LABELS
from latentloop.metrics.facts import FACTS
from measuring.catalogue import MEASUREMENTS
from measuring.machine import machine_of
from measuring.methods import COLUMNS, Paired, chosen, tables
from measuring.records import FIGURES, Record, read_record

SETS = {"samples": "the sample photos", "celeba": "photos of CelebA"}
"""Image sets of the comparison of methods."""
PARTS = ("n", "lpips_alex", "mse", "id", "contrast", "detail")
"""Columns of the table of one pass by part."""
ENGINES = {"eager": "PyTorch", "compiled": "PyTorch, compiled", "onnx": "ONNX Runtime", "openvino": "OpenVINO"}
"""Names of the runtimes."""


def renderers(folder: Path = FIGURES) -> dict[str, Callable[[], str]]:
    """Return a function for each place of figures in the documentation, which returns its Markdown."""
    found: dict[str, Callable[[], str]] = {one.name: partial(measured, one.name, folder) for one in MEASUREMENTS}
    return found | {f"methods-{name}": partial(methods, name, folder) for name in SETS}


def measured(name: str, folder: Path = FIGURES) -> str:
    """Return the table of a measurement, with where its figures are from."""
    record = read_record(name, folder=folder)
    if record is None:
        return f"*Not measured yet:* `python scripts/measure_all.py --run {name}`"
    return f"```bash\n{record['command']}\n```\n\n{TABLES[name](record['figures'])}\n\n*{origin(record)}*"


def origin(record: Record) -> str:
    """Say on one line where a record's figures are from."""
    return f"{machine_of(record)}; {record['date']}, latentloop {record['latentloop']}."


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown whose first column is text and whose others are numbers."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def generators(figures: Mapping[str, Any]) -> str:
    """Return the table of `latentloop bench generator`."""
    rows = [
        [
            f"{row['generator']}, {row['pass']}, drawn at {row['drawn at']}, {ENGINES[row['how']]}",
            f"{row['ms']:.0f}",
            f"{row['share']:.0%}",
        ]
        for row in figures["rows"]
    ]
    rows += [[f"{name}, a step of the iterator", f"{ms:.0f}", ""] for name, ms in figures["iterator_ms"].items()]
    convolution = f"The convolution: {figures['convolution_gflops']:.0f} GFLOP/s, {figures['precision']}."
    return grid(["one image", "ms", "of the convolution's rate"], rows) + f"\n\n{convolution}"


def seconds(names: Mapping[str, str], figures: Mapping[str, Any]) -> str:
    """Return a table of times: a number of seconds, or a median with its 95th percentile."""
    rows = []
    for key, name in names.items():
        value = figures[key]
        spread = value if isinstance(value, dict) else {"median": value, "n": 1}
        rows.append(
            [name, f"{spread['median']:.2f}", f"{spread['p95']:.2f}" if "p95" in spread else "", f"{spread['n']}"]
        )
    return grid(["what", "seconds, median", "95th percentile", "n"], rows)


STEP = {
    "forward": "a face drawn at full size",
    "forward_backward": "forward and backward at 256",
    "step": "a whole step of the iterator",
}
STUDIO = {
    "ready": "command to page",
    "uploads": "upload to face",
    "previews": "slider to preview",
    "rests": "slider to whole photo",
}
EDIT = {"warm": "one pass, an edit, from file to file", "cold": "the same from the command on"}


def edit(figures: Mapping[str, Any]) -> str:
    """Return the table of edits of photos, with the speed of a video."""
    clip = f"A clip of 480 pixels, faces drawn at 256: {figures['frames_per_second']:.2f} frames a second."
    return f"{seconds(EDIT, figures)}\n\n{clip}"


def bulk(figures: Mapping[str, Any]) -> str:
    """Return the table of `latentloop bulk` beside a plain loop."""
    plain = figures["rows"][0]["seconds"]
    rows = [
        [
            row["how"],
            f"{row['seconds']:.1f}",
            f"{figures['count'] / row['seconds']:.2f}",
            f"{plain / row['seconds']:.2f}",
        ]
        for row in figures["rows"]
    ]
    return grid([f"{figures['count']} photos, from a cold start", "seconds", "photos a second", "times the loop"], rows)


def one_pass(figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Return the tables of one pass by part, one for each network."""
    found = []
    for network, parts in figures.items():
        rows = [[part, *(f"{one[column]:.3g}" for column in PARTS)] for part, one in parts.items()]
        found.append(f"{network}:\n\n{grid(['part', *(LABELS.get(column, column) for column in PARTS)], rows)}")
    return "\n\n".join(found)


TABLES: Mapping[str, Callable[[Any], str]] = {
    "generator": generators,
    "generator-engines": generators,
    "iterator-step": partial(seconds, STEP),
    "edit": edit,
    "studio": partial(seconds, STUDIO),
    "bulk": bulk,
    "one-pass": one_pass,
}
"""Function for each measurement's table, from its figures."""


def methods(name: str, folder: Path = FIGURES) -> str:
    """Return the tables of the comparison of methods on an image set."""
    record = read_record("methods", folder=folder)
    found = tables(record["sets"].get(name, {})) if record else []
    if record is None or not found:
        return "*Not measured yet:* `python scripts/measure_all.py --run methods`"
    return "\n\n".join([_method_table(found[0]), *(_apart(one) for one in found[1:]), _methods_origin(record, name)])


def _apart(paired: Paired) -> str:
    return f"Over the photos that more methods have:\n\n{_method_table(paired)}"


def _method_table(paired: Paired) -> str:
    count = len(paired.images)
    shown = [column for column in COLUMNS if column in paired.counts]
    heads = [f"{LABELS[one]}{f' (of {paired.counts[one]})' if paired.counts[one] < count else ''}" for one in shown]
    rows = [
        [
            chosen(row.method).title,
            *(_number(one, row.figures.get(one)) for one in shown),
            f"{row.seconds:.3g}",
            f"{count}",
        ]
        for row in paired.rows
    ]
    return grid(["method", *heads, "seconds", "n"], rows)


def _number(column: str, value: float | None) -> str:
    digits = FACTS[column].digits if column in FACTS else 3
    return "-" if value is None else f"{round(value, digits) or 0.0:.{digits}f}"  # 0.0 for -0.0


def _methods_origin(record: Record, name: str) -> str:
    results = [result for images in record["sets"][name].values() for result in images.values()]
    dates, machines = sorted({one["date"] for one in results}), sorted({str(machine_of(one)) for one in results})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"*{'; '.join(machines)}; {when}.*"
