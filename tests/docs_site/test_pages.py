"""Where files of the repository go among the pages of the site, and how their links follow."""

from pathlib import Path

import pytest

from docs_site.pages import Pages


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "docs/page.md": "[other](other.md#a) [card](../src/latentloop/assets/card.md) [code](../scripts/run.py)\n"
        "```\n[kept](../scripts/run.py)\n```\n"
        "[photos](../photos) [gone](gone.md) [far](https://example.org) [up](#a)\n",
        "docs/other.md": "# A\n",
        "src/latentloop/assets/card.md": "![picture](../../../docs/images/face.png) [terms](licence.txt)\n",
        "src/latentloop/assets/licence.txt": "terms",
        "docs/images/face.png": "png",
        "scripts/run.py": "print('````')\n",
        "photos/README.md": "[all](../NEWS.md)\n",
        "NEWS.md": "# News\n",
        "LICENSE": "licence",
        "unlinked.md": "# Nobody links here\n",
    }
    root = tmp_path / "root"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_a_page_brings_all_that_it_links_to(root: Path, tmp_path: Path) -> None:
    pages = Pages(root, tmp_path / "out")
    pages.gather([root / "docs" / "page.md"])
    assert {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()} == {
        "page.md",
        "other.md",
        "models/card.md",
        "models/licence.txt",
        "images/face.png",
        "files/scripts/run.py.md",
        "files/photos/README.md",
        "project/NEWS.md",
    }


def test_links_lead_to_where_the_files_went(root: Path, tmp_path: Path) -> None:
    pages = Pages(root, tmp_path / "out")
    pages.gather([root / "docs" / "page.md"])
    assert (tmp_path / "out" / "page.md").read_text(encoding="utf-8") == (
        "[other](other.md#a) [card](models/card.md) [code](files/scripts/run.py.md)\n"
        "```\n[kept](../scripts/run.py)\n```\n"
        "[photos](files/photos/README.md) [gone](gone.md) [far](https://example.org) [up](#a)\n"
    )
    card = (tmp_path / "out" / "models" / "card.md").read_text(encoding="utf-8")
    assert card == "![picture](../images/face.png) [terms](licence.txt)\n"
    assert (tmp_path / "out" / "files" / "photos" / "README.md").read_text(
        encoding="utf-8"
    ) == "[all](../../project/NEWS.md)\n"


def test_code_is_shown_whole(root: Path, tmp_path: Path) -> None:
    pages = Pages(root, tmp_path / "out")
    pages.gather([root / "scripts" / "run.py"])
    page = (tmp_path / "out" / "files" / "scripts" / "run.py.md").read_text(encoding="utf-8")
    assert page == "# scripts/run.py\n\n`````python\nprint('````')\n`````\n"


def test_the_licence_is_a_text(root: Path, tmp_path: Path) -> None:
    pages = Pages(root, tmp_path / "out")
    pages.gather([root / "LICENSE"])
    assert (tmp_path / "out" / "project" / "LICENSE.txt").read_text(encoding="utf-8") == "licence"
