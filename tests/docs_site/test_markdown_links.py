"""No link in Markdown leads nowhere, in pages as GitHub shows them."""

from pathlib import Path

import pytest

from docs_site.markdown_links import anchors, broken, slug, targets

ROOT = Path(__file__).parents[2]
HIDDEN = {"node_modules", "dist", "build", "out"}
PAGES = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not any(part.startswith(".") or part in HIDDEN for part in path.relative_to(ROOT).parts)
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page, ROOT) == []


def test_the_pages_are_those_of_the_project() -> None:
    names = {str(page.relative_to(ROOT)) for page in PAGES}
    assert {"README.md", "DEVELOPERS.md", "docs/results.md", "src/latentloop/assets/base-ffhq.md"} <= names


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("[a](there.md)", None),
        ("[a](there.md#two-words)", None),
        ("[a](#here)", None),
        ("[a](https://example.org/nowhere)", None),
        ("![a](picture%20one.png)", None),
        ("[a](gone.md)", "gone.md: no such file"),
        ("![a](gone.png)", "gone.png: no such file"),
        ('<img src="gone.png">', "gone.png: no such file"),
        ("[a](there.md#gone)", "there.md#gone: no such heading"),
        ("[a](#gone)", "#gone: no such heading"),
        ("[a](../outside.md)", "../outside.md: no such file"),
        ("`[a](gone.md)`", None),
        ("```\n[a](gone.md)\n```", None),
    ],
)
def test_broken_links_are_found(link: str, problem: str | None, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.md").touch()
    (root / "picture one.png").touch()
    (root / "there.md").write_text("# One\n\n## Two words\n", encoding="utf-8")
    (root / "page.md").write_text(f"# Here\n\n{link}\n", encoding="utf-8")
    assert broken(root / "page.md", root) == ([f"page.md: {problem}"] if problem else [])


def test_headings_have_githubs_anchors() -> None:
    text = "# W+: a `code`'s way, (b)\n\n## Same\n\n## Same\n\n<a id='own'></a>\n\n```\n# no heading\n```\n"
    assert anchors(text) == {"w-a-codes-way-b", "same", "same-1", "own"}
    assert slug("At 1,024 pixels - and more") == "at-1024-pixels---and-more"


def test_pictures_within_links_are_targets() -> None:
    assert targets("[![a](small.png)](large.png)") == ["large.png", "small.png"]
