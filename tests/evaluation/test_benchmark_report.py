import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from latentloop.evaluation.benchmark_report import (
    Comparison,
    MethodLine,
    Result,
    markdown,
    on_the_same_images,
    rows_as_csv,
    spreads_as_csv,
    write_comparison,
)
from latentloop.evaluation.summary import summarize
from latentloop.images import read_image, write_png


def result(method: str, image: str, value: float, seconds: float = 1.0) -> Result:
    return Result(method, image, {"mse": value, "lpips_alex": 2 * value, "id": 1 - value}, seconds, 2 * 10**9, 7, 1)


@pytest.fixture
def comparison() -> Comparison:
    slow = [result("slow", "a", 0.1, 10), result("slow", "b", 0.3, 30)]
    quick = [result("quick", "a", 0.2, 1), result("quick", "b", 0.2, 2)]
    lines = [
        MethodLine("quick", "Ours, quick", "descends nothing", True, quick),
        MethodLine("slow", "Slow, 9 steps", "paper", False, slow),
    ]
    return Comparison("Toys", {"data": "two"}, ("mse", "lpips_alex", "id"), lines, ["x.png: broken"])


def test_the_table_has_means_deviations_and_medians(comparison: Comparison) -> None:
    table = markdown(comparison).splitlines()
    assert "| method | MSE | LPIPS (alex) | ID | seconds | GB | calls | n |" in table
    assert "| Slow, 9 steps | 0.2000 (0.1414) | 0.400 (0.283) | 0.800 (0.141) | 20 | 2.0 | 7 | 2 |" in table
    assert "- Ours, quick: descends nothing" in table
    assert "- Left out: x.png: broken" in table
    assert "- data: two" in table


def test_every_result_is_a_row(comparison: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(rows_as_csv(comparison))))
    assert [(row["method"], row["image"]) for row in rows] == [
        ("quick", "a"),
        ("quick", "b"),
        ("slow", "a"),
        ("slow", "b"),
    ]
    assert rows[3]["lpips_alex"] == "0.6"
    assert (rows[3]["seconds"], rows[3]["peak_memory_bytes"], rows[3]["generator_calls"]) == ("30", "2000000000", "7")


def test_every_figure_has_its_interval(comparison: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(spreads_as_csv(comparison))))
    assert len(rows) == 6
    expected = summarize([0.2, 0.6])
    assert float(rows[4]["low_95"]) == expected.low
    assert float(rows[4]["high_95"]) == expected.high
    assert (rows[4]["method"], rows[4]["figure"], rows[4]["n"]) == ("slow", "lpips_alex", "2")


def test_means_are_of_images_that_all_methods_have() -> None:
    both = [result("slow", "a", 0.1), result("quick", "a", 0.2)]
    assert on_the_same_images([*both, result("quick", "b", 0.3)]) == both
    strangers = [result("slow", "a", 0.1), result("quick", "b", 0.2)]
    assert on_the_same_images(strangers) == strangers
    assert on_the_same_images([]) == []


def test_files_are_written_with_pictures(comparison: Comparison, tmp_path: Path) -> None:
    colours = {"photos": -1.0, "quick": 0.0, "slow": 1.0}
    for folder, value in colours.items():
        for name in ("a", "b"):
            image = read_image(Path(__file__).parents[2] / "examples" / "photos" / "female-1.jpg")[..., :256, :256]
            write_png(tmp_path / folder / f"{name}.png", image * 0 + value)
    paths = write_comparison(tmp_path, comparison)
    names = ["results.csv", "summary.csv", "table.md", "pareto.png", "grid.png", "report.html"]
    assert [path.name for path in paths] == names
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.size == (3 * 192, 18 + 2 * 192)
        assert [grid.getpixel((192 * i + 100, 200)) for i in range(3)] == [(0, 0, 0), (128, 128, 128), (255, 255, 255)]
    with Image.open(tmp_path / "pareto.png") as pareto:
        assert pareto.width > 500
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "Slow, 9 steps" in page
    assert "x.png: broken" in page
