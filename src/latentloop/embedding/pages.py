"""Pages of a report of many photos: one row per photo, with a thumbnail."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from latentloop.embedding.html import write_html
from latentloop.embedding.labels import LABELS
from latentloop.embedding.overview import PageLink
from latentloop.embedding.summary_files import REPORT, TITLE, is_page, page_path, pages_in
from latentloop.ownership import is_foreign

PAGE_SIZE = 100
"""Number of photos on a page."""


@dataclass(frozen=True)
class Line:
    """Table row of one reconstruction on a page."""

    name: str
    thumbnail: Path | None
    """Thumbnail file; None shows only the metrics."""
    reconstruction: Path
    """Reconstruction file, which a click on the thumbnail opens."""
    metrics: Mapping[str, float]
    seconds: float


def write_pages(folder: Path, lines: Sequence[Line]) -> list[PageLink]:
    """Write the pages of a report, and delete surplus pages of an earlier one; returns links to the pages.

    Args:
        folder: Folder of the results.
        lines: Reconstructions in order.

    Raises:
        UserError: A page cannot be written.
    """
    parts = [lines[first : first + PAGE_SIZE] for first in range(0, len(lines), PAGE_SIZE)]
    titles = [f"{i * PAGE_SIZE + 1} to {i * PAGE_SIZE + len(part)}" for i, part in enumerate(parts)]
    paths = [page_path(folder, i + 1) for i in range(len(parts))]
    for number, part in enumerate(parts):
        write_html(
            paths[number],
            "page.html.j2",
            title=f"{TITLE}, {titles[number]}",
            lines=part,
            labels={name: label for name, label in LABELS.items() if any(name in line.metrics for line in part)},
            links=[(path.name, title) for path, title in zip(paths, titles, strict=True)],
            number=number,
            report=f"../{REPORT}",
            address=lambda file: address(file, paths[0].parent),
        )
    delete_pages(folder, beyond=len(parts))
    about = zip(paths, titles, parts, strict=True)
    return [PageLink(address(path, folder), f"{title}: {_names(part)}") for path, title, part in about]


def delete_pages(folder: Path, *, beyond: int) -> None:
    """Delete our pages with numbers above `beyond`; foreign files stay."""
    kept = {page_path(folder, i + 1) for i in range(beyond)}
    for page in set(pages_in(folder)) - kept:
        if not is_foreign(page, is_page):
            page.unlink(missing_ok=True)


def address(file: Path, folder: Path) -> str:
    """Return the relative URL of a file for a page in `folder`; file names may contain any bytes."""
    return quote(os.fsencode(Path(os.path.relpath(file, folder)).as_posix()))


def _names(part: Sequence[Line]) -> str:
    return part[0].name if len(part) == 1 else f"{part[0].name} to {part[-1].name}"
