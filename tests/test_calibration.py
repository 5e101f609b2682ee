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
PROCESSORS = 1e-3
"""Largest difference of a value between the page's processor and another, as a share of it; float32 is far below."""
FACTOR = 10
"""By how much the difference from the reference, which is one of roundings, may be another on another processor."""


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [measured(entry) for entry in ENTRIES]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def number(cell: str) -> float:
    return float(cell.replace(",", ""))


def agree(written: str, found: str, row: Row) -> bool:
    """Return whether two lines have the same words, and numbers that another processor may give instead.

    Differences below a thousandth of the tolerance count as that, since a 0 has no factor.
    """
    theirs, ours = cells(written), cells(found)
    words = [[*line[: NUMBERS.start], *line[NUMBERS.stop :]] for line in (theirs, ours)]
    there, here, difference = map(number, theirs[NUMBERS])
    near = [
        abs(value - now) <= min(row.entry.tolerance, PROCESSORS * abs(now)) + SHOWN * abs(now)
        for value, now in ((there, row.there), (here, row.here))
    ]
    low, high = sorted(max(value, row.entry.tolerance / 1000) for value in (difference, row.difference))
    return words[0] == words[1] and all(near) and high <= FACTOR * low


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


def changed(row: Row, cell: int, value: str) -> str:
    """The line of a row with another cell."""
    return f"| {' | '.join([*row.cells[:cell], value, *row.cells[cell + 1 :]])} |"


def test_other_words_or_numbers_on_the_page_are_seen(rows: list[Row]) -> None:
    row = rows[0]
    line = changed(row, 0, row.cells[0])
    assert agree(line, line, row)
    for i, other in ((0, "loss"), (3, "0.5"), (4, "0.5"), (5, "1e-10"), (7, "hearsay")):
        assert not agree(changed(row, i, other), line, row)


def test_numbers_within_a_wide_tolerance_are_compared_more_narrowly(rows: list[Row]) -> None:
    (row,) = [row for row in rows if row.entry.kind == "network"]
    line = changed(row, 0, row.cells[0])
    assert row.entry.tolerance > 0.01 * row.here
    for i, value in ((3, row.there), (4, row.here)):
        assert agree(changed(row, i, f"{1.0005 * value:.6g}"), line, row)
        assert not agree(changed(row, i, f"{1.002 * value:.6g}"), line, row)
    assert agree(changed(row, 5, f"{row.difference / 5:.0e}"), line, row)
    for factor in (20, 1 / 20):
        assert not agree(changed(row, 5, f"{row.difference * factor:.0e}"), line, row)
