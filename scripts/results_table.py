"""Print a results.json of `latentloop embed` as a Markdown table: a row for each group of photos, and one for all.

    python scripts/results_table.py out/dev/results.json gen tpdne celeba

groups photos by the beginnings of their names; --one-pass shows the one-pass reconstructions of the network alone. Each
cell is the mean and, in brackets, the standard deviation.
"""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

COLUMNS = {"mse": 4, "psnr": 2, "ssim": 3, "lpips_alex": 3, "id": 3, "seconds": 1}
"""Decimals of each metric."""


@dataclass(frozen=True)
class Table:
    """Print the metrics of a results.json, averaged by group."""

    results: tyro.conf.Positional[Path]
    """File to read."""
    groups: tyro.conf.Positional[tuple[str, ...]] = ()
    """Beginnings of the photos' names, a group each."""
    one_pass: bool = False
    """Show the network's one-pass reconstructions, where the iterator refined them."""

    def run(self) -> None:
        """Print the table."""
        photos: list[dict[str, Any]] = json.loads(self.results.read_text())["photos"]
        shown = [photo["one_pass"] if self.one_pass else photo for photo in photos]
        rows = [
            {**result["metrics"], "seconds": result["seconds"], "name": photo["name"]}
            for result, photo in zip(shown, photos, strict=True)
        ]
        print("| photos | n | " + " | ".join(COLUMNS) + " |")
        print("|---" * (len(COLUMNS) + 2) + "|")
        for group in self.groups:
            print(line(group, [row for row in rows if row["name"].startswith(group)]))
        print(line("all", rows))


def line(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """Format a row of the table."""
    cells = [cell([row[column] for row in rows], digits) for column, digits in COLUMNS.items()]
    return f"| {name} | {len(rows)} | " + " | ".join(cells) + " |"


def cell(values: Sequence[float], digits: int) -> str:
    """Format mean and standard deviation; "-" without values."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}" if values else "-"
    return f"{statistics.mean(values):.{digits}f} ({statistics.stdev(values):.{digits}f})"


if __name__ == "__main__":
    tyro.cli(Table).run()
