"""Checks of the built site: links that lead nowhere, and what a page would ask another host for."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"audio", "embed", "iframe", "img", "input", "link", "object", "script", "source", "track", "video"}
"""Elements whose addresses a browser asks for by itself; those of links wait for a click."""
IN_STYLE = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")


class HtmlPage(HTMLParser):
    """What a page of HTML links to, what it loads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and anchors of an element."""
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            elif name in ("href", "src", "poster", "data"):
                (self.loads if tag in LOADED else self.links).append(value)
            elif name == "srcset":
                self.loads += [part.split()[0] for part in value.split(",")]
            elif name == "style":
                self.loads += IN_STYLE.findall(value)


def unreachable(site: Path) -> Iterator[str]:
    """Yield the links and pictures of a site's pages that are not there."""
    pages = {path: HtmlPage(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links are from the top of a host
        for target in dict.fromkeys(page.links + page.loads):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            file = file / "index.html" if file.is_dir() else file
            known = pages[file].anchors if file in pages else set()
            if not file.is_file():
                yield f"{path.relative_to(site)}: {target}: not there"
            elif parts.fragment and file in pages and unquote(parts.fragment) not in known | {"__skip", "top"}:
                yield f"{path.relative_to(site)}: {target}: no such anchor"


def outside(site: Path) -> Iterator[str]:
    """Yield what pages and style sheets would ask other hosts for."""
    for path in sorted(site.rglob("*.html")):
        for target in HtmlPage(path.read_text(encoding="utf-8")).loads:
            if urlsplit(target).netloc:
                yield f"{path.relative_to(site)}: asks for {target}"
    for path in sorted(site.rglob("*.css")):
        for target in IN_STYLE.findall(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site)}: asks for {target}"
