"""Places of figures in the documentation: what is between markers is written from the records."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from measuring.sources import ROOT

PAGES = (ROOT / "docs" / "results.md", ROOT / "docs" / "speed.md")
"""Pages with figures."""
PLACE = re.compile(r"(<!-- figures: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
"""A place: its marker, what is written there, and the end."""


def filled(page: str, renderers: Mapping[str, Callable[[], str]]) -> str:
    """Write the figures of a page anew.

    Args:
        page: Text of the page.
        renderers: Functions that return the Markdown of a place, by the place's name.

    Raises:
        LookupError: A place has another name.
    """

    def write(place: re.Match[str]) -> str:
        if place["name"] not in renderers:
            raise LookupError(f"no figures are called {place['name']}; there are {', '.join(renderers)}")
        return f"{place[1]}\n{renderers[place['name']]().strip()}\n\n{place[3]}"

    return PLACE.sub(write, page)


def write_pages(renderers: Mapping[str, Callable[[], str]], pages: tuple[Path, ...] = PAGES) -> list[Path]:
    """Write the figures of pages; returns the pages that changed."""
    changed = []
    for page in pages:
        before = page.read_text(encoding="utf-8")
        after = filled(before, renderers)
        if after != before:
            page.write_text(after, encoding="utf-8")
            changed.append(page)
    return changed
