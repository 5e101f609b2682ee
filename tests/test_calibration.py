"""The calibration page: every row is within its tolerance, and the page says what the script writes."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from calibration_entries import ENTRIES, Row, measured

PAGE = Path(__file__).parents[1] / "docs" / "calibration.md"
NUMBERS = slice(3, 6)
"""Cells of a row that are measured: there, here and the difference."""
SHOWN = 1e-5
"""Half a unit of the last digit that the page shows, as a share of the value, and some more."""


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [measured(entry) for entry in ENTRIES]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def number(cell: str) -> float:
    return float(cell.replace(",", ""))


def agree(written: str, found: str, row: Row) -> bool:
    """Return whether two lines have the same words, and numbers that differ by the tolerance at most."""
    theirs, ours = cells(written), cells(found)
    words = [[*line[: NUMBERS.start], *line[NUMBERS.stop :]] for line in (theirs, ours)]
    if words[0] != words[1]:
        return False
    there, here, difference = map(number, theirs[NUMBERS])
    near = [row.entry.tolerance + SHOWN * abs(value) for value in (row.there, row.here)]
    apart = [abs(there - row.there), abs(here - row.here)]
    return apart[0] <= near[0] and apart[1] <= near[1] and difference <= row.entry.tolerance


def test_every_row_is_within_its_tolerance(rows: list[Row]) -> None:
    assert [row.cells for row in rows if not row.difference <= row.entry.tolerance] == []


def test_the_page_is_what_the_script_writes(rows: list[Row], load_script: Callable[[str], ModuleType]) -> None:
    written, found = (text.splitlines() for text in (PAGE.read_text("utf-8"), load_script("calibration").page(rows)))
    again = "run: python scripts/calibration.py docs/calibration.md"
    assert len(written) == len(found), again
    by_line = {" | ".join(row.cells): row for row in rows}
    for theirs, ours in zip(written, found, strict=True):
        row = by_line.get(ours.strip("| "))
        assert agree(theirs, ours, row) if row else theirs == ours, again


def test_other_words_or_numbers_on_the_page_are_seen(rows: list[Row]) -> None:
    row = rows[0]
    line = f"| {' | '.join(row.cells)} |"
    assert agree(line, line, row)
    for i, other in ((0, "loss"), (3, "0.5"), (4, "0.5"), (5, "1e+00"), (7, "hearsay")):
        changed = [*row.cells[:i], other, *row.cells[i + 1 :]]
        assert not agree(f"| {' | '.join(changed)} |", line, row)
