"""Tutorials are pages of the site: text, code, and what the cells left."""

import base64
import json
from pathlib import Path

import pytest

pytest.importorskip("nbconvert")

from docs_site.notebooks import add_notebooks
from docs_site.pages import Pages

PNG = b"\x89PNG\r\n\x1a\n"


def cell(kind: str, source: str, outputs: list[dict[str, object]] | None = None) -> dict[str, object]:
    code = {"outputs": outputs or [], "execution_count": 1} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": source, "id": f"{kind}-{len(source)}", **code}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "docs" / "tutorials"
    folder.mkdir(parents=True)
    (tmp_path / "root" / "README.md").write_text("# Project\n", encoding="utf-8")
    picture = {"image/png": base64.b64encode(PNG).decode()}
    cells = [
        cell("markdown", "# First steps\n\nSee the [project](../../README.md), or [again](first.ipynb#how)."),
        cell("code", "1 + 1", [{"output_type": "stream", "name": "stdout", "text": "two\n"}]),
        cell("code", "draw()", [{"output_type": "display_data", "data": picture, "metadata": {}}]),
    ]
    notebook = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "first.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return folder


def test_a_notebook_becomes_a_page(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert add_notebooks(Pages(tmp_path / "root", out), folder) == [folder / "first.ipynb"]
    page = (out / "tutorials" / "first.md").read_text(encoding="utf-8")
    assert page.startswith('# First steps\n\n*This page is the notebook <a href="first.ipynb" download>')
    assert "See the [project](../project/README.md), or [again](first.md#how)." in page
    assert "```python\n1 + 1\n```" in page
    assert "    two" in page
    (picture,) = (out / "tutorials" / "first_files").iterdir()
    assert picture.read_bytes() == PNG
    assert f"(first_files/{picture.name})" in page
    assert (out / "tutorials" / "first.ipynb").read_bytes() == (folder / "first.ipynb").read_bytes()
    assert (out / "project" / "README.md").is_file()


def test_there_may_be_no_notebooks(tmp_path: Path) -> None:
    assert add_notebooks(Pages(tmp_path, tmp_path / "out"), tmp_path / "docs" / "tutorials") == []
