from pathlib import Path

import pytest

from latentloop.benchmark.edit_meter import COLUMNS
from latentloop.benchmark.editability_files import (
    EditabilityRow,
    read_figures,
    table_head,
    table_line,
    write_figures,
    write_table,
)
from latentloop.errors import UserError

IMAGES = {name: dict.fromkeys(COLUMNS, value) for name, value in (("a", 1.0), ("b", 2.0), ("c", 6.0))}


def test_a_row_has_means_but_medians_of_the_lec() -> None:
    means = EditabilityRow(25, IMAGES).means()
    assert means == {name: 2.0 if name.startswith("lec") else 3.0 for name in COLUMNS}


def test_names_that_are_not_utf_8_are_written_as_escapes(tmp_path: Path) -> None:
    write_table(tmp_path, [EditabilityRow(25, {"a\udcff": IMAGES["a"]})], {"photos": "faces\udcff"})
    assert "- photos: faces\\udcff" in (tmp_path / "editability.md").read_text(encoding="utf-8")


def test_a_line_has_a_cell_for_each_heading() -> None:
    head, rule = table_head()
    filled, empty = table_line(EditabilityRow(25, IMAGES)), table_line(EditabilityRow(0, {}))
    assert head.count("|") == rule.count("|") == filled.count("|") == empty.count("|") == len(COLUMNS) + 3
    assert filled.startswith("| 25 | 3.000 | ")
    assert filled.endswith(" | 3 |")
    assert empty == "| 0 |" + " - |" * len(COLUMNS) + " 0 |"


def test_the_table_says_once_why_a_photo_is_left_out(tmp_path: Path) -> None:
    rows = [EditabilityRow(steps, IMAGES, (UserError("x.png: no face"),)) for steps in (0, 25)]
    write_table(tmp_path, rows, {"generator": "toy"})
    lines = (tmp_path / "editability.md").read_text().splitlines()
    assert "- generator: toy" in lines
    assert lines.count("- Left out: x.png: no face") == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"key": "k"}', '{"key": "other", "figures": {"mse": 1}}'])
def test_figures_of_anything_else_are_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.json"
    assert read_figures(file, "k") is None
    write_figures(file, "k", {"mse": 0.5})
    assert read_figures(file, "k") == {"mse": 0.5}
    file.write_text(content)
    assert read_figures(file, "k") is None
