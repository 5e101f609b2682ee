"""Tables of a benchmark: results.csv, summary.csv and table.md."""

import csv
import io
from collections.abc import Sequence
from statistics import median

from latentloop.benchmark.by_set import by_set_cells, by_set_header, cell_named
from latentloop.benchmark.comparison import DIGITS, LABELS, Comparison


def rows_as_csv(comparison: Comparison) -> str:
    """Format results.csv: a row for each method and image."""
    columns = comparison.columns
    rows = [["method", "image", *columns, "seconds", "peak_memory_bytes", "generator_calls", "batch"]]
    for line in comparison.lines:
        for r in line.results:
            figures = [r.figures.get(column, "") for column in columns]
            rows.append([str(x) for x in (line.name, r.image, *figures, r.seconds, r.memory or "", r.calls, r.batch)])
    return _csv(rows)


def spreads_as_csv(comparison: Comparison) -> str:
    """Format summary.csv: a row for each method and metric, with mean, deviation and 95 % interval."""
    rows = [["method", "figure", "n", "mean", "standard_deviation", "low_95", "high_95"]]
    for line in comparison.lines:
        rows += [
            [str(x) for x in (line.name, column, s.count, s.mean, s.deviation, s.low, s.high)]
            for column in comparison.columns
            if (s := line.spread(column))
        ]
    return _csv(rows)


def markdown(comparison: Comparison) -> str:
    """Format table.md: means, standard deviations in brackets, median seconds; then means by image set."""
    lines = [f"# {comparison.title}", ""]
    lines += [f"- {name}: {value}" for name, value in comparison.facts.items()]
    lines += ["", *_table(table_header(comparison), table_cells(comparison))]
    lines += ["", "Means and, in brackets, standard deviations; medians of seconds."]
    lines += [f"- {line.title}: {line.note}" for line in comparison.lines if line.note]
    lines += [f"- Left out: {reason}" for reason in comparison.left_out]
    lines += ["", "## By set", "", *_table(by_set_header(comparison), by_set_cells(comparison))]
    lines += ["", f"Means: {cell_named(comparison)}."]
    return "\n".join(lines) + "\n"


def table_header(comparison: Comparison) -> list[str]:
    """Return the headings of the table's columns."""
    return ["method", *(LABELS[column] for column in comparison.columns), "seconds", "GB", "calls", "n"]


def table_cells(comparison: Comparison) -> list[list[str]]:
    """Return a row of the table for each method."""
    rows = []
    for line in comparison.lines:
        cells = [line.title]
        for column in comparison.columns:
            spread, digits = line.spread(column), DIGITS.get(column, 3)
            cells.append(f"{spread.mean:.{digits}f} ({spread.deviation:.{digits}f})" if spread else "-")
        memory = [r.memory for r in line.results if r.memory is not None]
        cells += [f"{line.seconds:.3g}", f"{max(memory) / 1e9:.1f}" if memory else "-"]
        rows.append([*cells, f"{median(r.calls for r in line.results):.0f}", str(len(line.results))])
    return rows


def _csv(rows: Sequence[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return [lines[0], "|---" * len(header) + "|", *lines[1:]]
