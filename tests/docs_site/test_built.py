"""The checks of a built site find what is wrong."""

from pathlib import Path

import pytest

from docs_site.built import outside, unreachable


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text('<h1 id="one">One</h1>', encoding="utf-8")
    (tmp_path / "style.css").write_text("a { background: url(picture.png) }", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="sub/">x</a>', None),
        ('<a href="sub/index.html#one">x</a>', None),
        ('<a href="https://example.org/">x</a>', None),
        ('<p id="two"></p><a href="#two">x</a>', None),
        ('<a href="sub/#two">x</a>', "page.html: sub/#two: no such anchor"),
        ('<a href="gone.html">x</a>', "page.html: gone.html: not there"),
        ('<img src="gone.png">', "page.html: gone.png: not there"),
        ('<script src="gone.js"></script>', "page.html: gone.js: not there"),
    ],
)
def test_links_that_lead_nowhere_are_found(site: Path, html: str, problem: str | None) -> None:
    (site / "page.html").write_text(html, encoding="utf-8")
    assert list(unreachable(site)) == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("html", "address"),
    [
        ('<a href="https://example.org/">x</a>', None),
        ('<link rel="stylesheet" href="https://fonts.example.org/a.css">', "https://fonts.example.org/a.css"),
        ('<script src="//cdn.example.org/a.js"></script>', "//cdn.example.org/a.js"),
        ('<img srcset="a.png 1x, https://example.org/b.png 2x">', "https://example.org/b.png"),
        ('<p style="background: url(https://example.org/c.png)">x</p>', "https://example.org/c.png"),
    ],
)
def test_what_pages_load_from_other_hosts_is_found(site: Path, html: str, address: str | None) -> None:
    (site / "page.html").write_text(html, encoding="utf-8")
    assert list(outside(site)) == ([f"page.html: asks for {address}"] if address else [])


@pytest.mark.parametrize(
    "rule", ['@import "https://example.org/a.css";', "a { src: url('https://example.org/a.css') }"]
)
def test_what_style_sheets_load_from_other_hosts_is_found(site: Path, rule: str) -> None:
    (site / "style.css").write_text(rule, encoding="utf-8")
    assert list(outside(site)) == ["style.css: asks for https://example.org/a.css"]
