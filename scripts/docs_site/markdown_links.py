"""Links and headings of Markdown files, as GitHub shows them."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

HTML_LINK = re.compile(r"""<(?:a|img)\b[^>]*?\b(?:href|src)=["']([^"']+)""")
HTML_ANCHOR = re.compile(r"""<\w+\b[^>]*?\b(?:id|name)=["']([^"']+)""")


def targets(text: str) -> list[str]:
    """List what a page links to and which pictures it shows: paths, anchors and addresses."""
    found: list[str] = []
    for token in _tokens(text):
        if token.type in ("html_inline", "html_block"):
            found += HTML_LINK.findall(token.content)
        found += [unquote(str(token.attrs[name])) for name in ("href", "src") if name in token.attrs]
    return found


def anchors(text: str) -> set[str]:
    """List the anchors of a page: those of its headings, and those set by hand in HTML."""
    found: set[str] = set()
    uses: Counter[str] = Counter()
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            name = slug("".join(child.content for child in inline.children or ()))
            found.add(f"{name}-{uses[name]}" if uses[name] else name)
            uses[name] += 1
    for token in _tokens(text):
        if token.type in ("html_inline", "html_block"):
            found.update(HTML_ANCHOR.findall(token.content))
    return found


def slug(heading: str) -> str:
    """Turn a heading into its anchor, as GitHub does: lower case, hyphens for spaces, no punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def broken(page: Path, root: Path) -> list[str]:
    """List the links of a page that lead nowhere in its repository: absent files, absent headings, ways out of it."""
    problems = []
    for target in targets(page.read_text(encoding="utf-8")):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue  # another host's, which a check without a network cannot ask
        file = (page.parent / parts.path).resolve() if parts.path else page
        if not file.is_relative_to(root) or not file.exists():
            problems.append(f"{page.relative_to(root)}: {target}: no such file")
        elif parts.fragment and file.suffix == ".md" and parts.fragment not in _anchors_of(file):
            problems.append(f"{page.relative_to(root)}: {target}: no such heading")
    return problems


@cache
def _anchors_of(page: Path) -> set[str]:
    return anchors(page.read_text(encoding="utf-8"))


def _tokens(text: str) -> Iterator[Token]:
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text):
        yield token
        yield from token.children or ()
