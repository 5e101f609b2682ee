import json
from dataclasses import replace
from pathlib import Path

from PIL import Image

from latentloop.benchmark.comparison import Comparison
from latentloop.benchmark.comparison_files import write_comparison
from latentloop.images import read_image, write_png


def test_names_that_are_not_utf_8_are_written_as_escapes(comparison: Comparison, tmp_path: Path) -> None:
    line = replace(comparison.lines[0], results=[replace(comparison.lines[0].results[0], image="a\udcff")])
    odd = replace(comparison, name="$\\frac$ faces\udcff", facts={"data": "faces\udcff"}, lines=[line])
    write_comparison(tmp_path, odd)
    assert "a\\udcff" in (tmp_path / "results.csv").read_text(encoding="utf-8")
    for name in ("table.md", "report.html"):
        assert "faces\\udcff" in (tmp_path / name).read_text(encoding="utf-8")


def test_files_are_written_with_pictures(comparison: Comparison, tmp_path: Path) -> None:
    colours = {"photos": -1.0, "quick": 0.0, "slow": 1.0}
    for folder, value in colours.items():
        for name in ("a", "b"):
            image = read_image(Path(__file__).parents[2] / "examples" / "photos" / "female-1.jpg")[..., :256, :256]
            write_png(tmp_path / folder / f"{name}.png", image * 0 + value)
    paths = write_comparison(tmp_path, comparison)
    names = ["results.csv", "summary.csv", "summary.json", "table.md", "pareto.png", "grid.png", "report.html"]
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
    assert page.count("<table>") == 2
    assert "<th>toys, 2 images</th>" in page
    assert json.loads((tmp_path / "summary.json").read_text())["name"] == "toys"
