"""Names of the files that tell of a run of `embed`, and whether those in a folder are ours."""

from collections.abc import Iterator
from pathlib import Path

from latentloop.embedding.journal import is_journal
from latentloop.embedding.result_folder import PAGES
from latentloop.ownership import beginning_with, is_foreign, with_entries

RESULTS, LINES, REPORT = "results.json", "results.jsonl", "report.html"
"""Names of the files about a run."""
FEW = 200
"""Most photos that are shown on one page; those of more have thumbnails, and pages of them."""
TITLE = "latentloop: photos and their reconstructions"
"""Title of the report, by which it is known; its pages' titles begin so."""


def page_path(folder: Path, number: int) -> Path:
    """Return the path of a page of the report in a folder of results, counted from 1."""
    return folder / PAGES / f"page-{number}.html"


def is_page(path: Path) -> bool:
    """Return whether a file is a page of a report."""
    return beginning_with(f"<title>{TITLE}")(path)


def pages_in(folder: Path) -> Iterator[Path]:
    """Iterate over what is named as pages of the report in a folder of results, in no order."""
    return (folder / PAGES).glob("page-*.html")


def foreign_summary(folder: Path) -> Path | None:
    """Return somebody else's file that the summary of a run would replace; None if there is none."""
    known = {
        RESULTS: with_entries("photos", "failed", "settings", "versions"),
        LINES: is_journal,
        REPORT: beginning_with(f"<title>{TITLE}</title>"),
    }
    foreign = [folder / name for name, ours in known.items() if is_foreign(folder / name, ours)]
    foreign += sorted(page for page in pages_in(folder) if is_foreign(page, is_page))
    return next(iter(foreign), None)
