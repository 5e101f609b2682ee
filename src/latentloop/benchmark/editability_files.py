"""Files of the benchmark of edits: the metrics of each code, and the table of all rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from latentloop.benchmark.edit_meter import COLUMNS
from latentloop.errors import UserError
from latentloop.files import replacing
from latentloop.json_files import read_json
from latentloop.ownership import beginning_with, refuse_foreign, with_entries

TITLE = "# Edits of codes"
"""First line of the table, by which it is recognized."""
TABLE, FIGURES = "editability.md", "editability.json"
"""Names of the table's files."""


@dataclass(frozen=True)
class EditabilityRow:
    """Metrics of the codes after a number of steps."""

    steps: int
    images: dict[str, dict[str, float]]
    """Metrics of each code, named as in `edit_meter.COLUMNS`, by the name of the code."""
    left_out: tuple[UserError, ...] = ()
    """Errors of photos without a code."""

    def means(self) -> dict[str, float]:
        """Average the metrics over the codes: means, but medians of LEC, which has outliers."""
        columns: dict[str, list[float]] = {}
        for figures in self.images.values():
            for name, value in figures.items():
                columns.setdefault(name, []).append(value)
        return {name: (median if name.startswith("lec") else fmean)(values) for name, values in columns.items()}


def table_head() -> list[str]:
    """Return the head of the table in Markdown, two lines."""
    cells = ["steps", *COLUMNS.values(), "n"]
    return [f"| {' | '.join(cells)} |", "|---" * len(cells) + "|"]


def table_line(row: EditabilityRow) -> str:
    """Format a row of the table in Markdown; dashes if there is no code."""
    means = row.means()
    cells = [f"{means[name]:.3f}" if name in means else "-" for name in COLUMNS]
    return f"| {' | '.join([str(row.steps), *cells, str(len(row.images))])} |"


def refuse_strangers(out: Path) -> None:
    """Check that the table would only replace that of an earlier run.

    Raises:
        UserError: A foreign file is in the way.
    """
    refuse_foreign([out / TABLE], beginning_with(TITLE))
    refuse_foreign([out / FIGURES], with_entries("facts", "rows"))


def write_table(out: Path, rows: Sequence[EditabilityRow], facts: Mapping[str, str]) -> None:
    """Write the rows so far, in Markdown, and in JSON with the metrics of each code.

    Raises:
        UserError: A file cannot be written.
    """
    lines = [TITLE, "", *(f"- {name}: {value}" for name, value in facts.items()), "", *table_head()]
    lines += [*map(table_line, rows), "", "Means over the photos; medians of LEC."]
    lines += dict.fromkeys(f"- Left out: {error}" for row in rows for error in row.left_out)
    content = {
        "facts": dict(facts),
        "rows": [{"steps": row.steps, "means": row.means(), "images": row.images} for row in rows],
    }
    for name, text in ((TABLE, "\n".join(lines) + "\n"), (FIGURES, json.dumps(content, indent=1))):
        with replacing(out / name) as part:
            part.write_text(text, encoding="utf-8", errors="backslashreplace")  # file names may contain any bytes


def read_figures(file: Path, key: str) -> dict[str, float] | None:
    """Read the metrics of a code; None if there are none, or if their key differs."""
    try:
        content = read_json(file)
        return dict(content["figures"]) if content["key"] == key else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write_figures(file: Path, key: str, figures: Mapping[str, float]) -> None:
    """Write the metrics of a code.

    Args:
        file: File to write.
        key: Key of the stamp that they depend on.
        figures: Metrics by name.

    Raises:
        UserError: The file cannot be written, or a foreign file is in the way.
    """
    refuse_foreign([file], with_entries("key", "figures"))
    with replacing(file) as part:
        part.write_text(json.dumps({"key": key, "figures": dict(figures)}), encoding="utf-8")
