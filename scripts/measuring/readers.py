"""What the commands of measurements print or write, as figures."""

import json
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

ENOUGH = 20
"""Fewest times that have a 95th percentile of their own, apart from the largest."""


def from_json(said: str, file: Path) -> object:  # noqa: ARG001
    """Read the JSON file that a command wrote."""
    return json.loads(file.read_text(encoding="utf-8"))


def generator_table(said: str, file: Path) -> object:  # noqa: ARG001
    """Read what `latentloop bench generator` prints: the convolution, a row for each pass, a step of the iterator.

    Raises:
        ValueError: The output is of another kind.
    """
    convolution = re.search(r"The convolution, .*: ([\d.]+) ms, ([\d.]+) GFLOP/s", said)
    header, *lines = [line for line in said.splitlines() if line.startswith("|") and not line.startswith("|-")] or [""]
    if convolution is None or not lines:
        raise ValueError("the output has no table of generators")
    keys = [cell.strip() for cell in header.strip("|").split("|")]
    rows = [dict(zip(keys, (cell.strip() for cell in line.strip("|").split("|")), strict=True)) for line in lines]
    steps = re.findall(r"A step of the iterator on (\S+): (\d+) ms, (\d+)% outside", said)
    return {
        "precision": said.splitlines()[0].rpartition(", ")[2],
        "convolution_gflops": float(convolution[2]),
        "rows": [
            {
                "generator": row["generator"],
                "drawn at": int(row["drawn at"]),
                "how": row["how"],
                "pass": row["pass"],
                "ms": float(row["ms an image"]),
                "share": float(row["of the convolution's rate"].rstrip("%")) / 100,
            }
            for row in rows
        ],
        "iterator_ms": {name: float(ms) for name, ms, _ in steps},
    }


def studio_json(said: str, file: Path) -> object:  # noqa: ARG001
    """Read the JSON file of `scripts/studio_trials.py`: medians and the 95th percentile of what users wait for."""
    content = json.loads(file.read_text(encoding="utf-8"))
    waits = {name: spread(content[name]) for name in ("uploads", "previews", "rests")}
    return {"ready": round(content["ready"], 2), **waits, "errors": len(content["errors"])}


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Summarize some times, in seconds; with the 95th percentile if there are enough of them."""
    found = {"median": round(statistics.median(seconds), 3), "n": len(seconds)}
    if len(seconds) < ENOUGH:
        return found
    return found | {"p95": round(sorted(seconds)[max(round(0.95 * len(seconds)) - 1, 0)], 3)}
