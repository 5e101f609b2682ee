import csv
import io
from dataclasses import replace

from latentloop.benchmark.comparison import Comparison
from latentloop.benchmark.summary import summarize
from latentloop.benchmark.tables import markdown, rows_as_csv, spreads_as_csv


def test_the_table_has_means_deviations_and_medians(comparison: Comparison) -> None:
    table = markdown(comparison).splitlines()
    assert "| method | MSE | LPIPS (alex) | ID | seconds | GB | calls | n |" in table
    assert "| Slow, 9 steps | 0.2000 (0.1414) | 0.400 (0.283) | 0.800 (0.141) | 20 | 2.0 | 7 | 2 |" in table
    assert "- Ours, quick: descends nothing" in table
    assert "- Left out: x.png: broken" in table
    assert "- data: two" in table
    assert table[0] == "# StyleGAN inversion: toys"
    by_set = table[table.index("## By set") :]
    assert by_set == [
        "## By set",
        "",
        "| method | toys, 2 images |",
        "|---|---|",
        "| Ours, quick | 0.2000 / 0.400 |",
        "| Slow, 9 steps | 0.2000 / 0.400 |",
        "",
        "Means: MSE / LPIPS (alex).",
    ]


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


def test_figures_that_a_photo_lacks_are_left_out(comparison: Comparison) -> None:
    """One image of each method has LPIPS at full size, none has a pattern."""
    lines = [
        replace(line, results=[replace(first, figures={**first.figures, "lpips_full": 0.7}), second])
        for line in comparison.lines
        for first, second in [line.results]
    ]
    some = replace(comparison, columns=("mse", "lpips_full", "pattern"), lines=lines)
    assert "| Slow, 9 steps | 0.2000 (0.1414) | 0.700 (0.000) | - | 20 | 2.0 | 7 | 2 |" in markdown(some).splitlines()
    assert [row["lpips_full"] for row in csv.DictReader(io.StringIO(rows_as_csv(some)))] == ["0.7", "", "0.7", ""]
    spreads = list(csv.DictReader(io.StringIO(spreads_as_csv(some))))
    assert [(row["figure"], row["n"]) for row in spreads] == 2 * [("mse", "2"), ("lpips_full", "1")]
    assert some.means.methods["quick"].means == {"mse": 0.2, "lpips_full": 0.7}


def test_every_figure_has_its_interval(comparison: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(spreads_as_csv(comparison))))
    assert len(rows) == 6
    expected = summarize([0.2, 0.6])
    assert float(rows[4]["low_95"]) == expected.low
    assert float(rows[4]["high_95"]) == expected.high
    assert (rows[4]["method"], rows[4]["figure"], rows[4]["n"]) == ("slow", "lpips_alex", "2")
