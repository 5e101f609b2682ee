"""Names of an embedding run's summary files, and recognition of those that are ours."""

from collections.abc import Iterator
from pathlib import Path

from latentloop.embedding.journal import is_journal
from latentloop.embedding.result_folder import PAGES
from latentloop.ownership import beginning_with, is_foreign, with_entries

RESULTS, LINES, REPORT = "results.json", "results.jsonl", "report.html"
"""Names of the summary files."""
FEW = 200
"""Largest number of photos in a single-page report; larger reports have thumbnails and further pages."""
TITLE = "latentloop: photos and their reconstructions"
"""Title of the report, by which it is recognized; its pages' titles begin with it."""


def page_path(folder: Path, number: int) -> Path:
    """Return the path of page `number`, from 1, of the report in a results folder."""
    return folder / PAGES / f"page-{number}.html"


def is_page(path: Path) -> bool:
    """Tell whether a file is a page of a report."""
    return beginning_with(f"<title>{TITLE}")(path)


def pages_in(folder: Path) -> Iterator[Path]:
    """Yield files named like pages of the report in a results folder, in no particular order."""
    return (folder / PAGES).glob("page-*.html")


def foreign_summary(folder: Path) -> Path | None:
    """Return a foreign file that a run's summary would replace; None if there is none."""
    known = {
        RESULTS: with_entries("photos", "failed", "settings", "versions"),
        LINES: is_journal,
        REPORT: beginning_with(f"<title>{TITLE}</title>"),
    }
    foreign = [folder / name for name, ours in known.items() if is_foreign(folder / name, ours)]
    foreign += sorted(page for page in pages_in(folder) if is_foreign(page, is_page))
    return next(iter(foreign), None)
