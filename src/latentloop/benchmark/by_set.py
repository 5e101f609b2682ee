"""Table of runs on several image sets side by side, as in Guan et al. (arXiv:2007.01758)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from latentloop.benchmark.comparison import DIGITS, LABELS, Comparison, MethodMeans, SetMeans
from latentloop.errors import UserError
from latentloop.json_files import read_json

SUMMARY = "summary.json"
"""File with a run's means, for the tables of other runs."""
FIGURES = ("psnr", "ssim", "lpips_alex")
"""Metrics shown in a cell of the table."""
FEWER_FIGURES = ("mse", "lpips_alex")
"""Metrics of a table cell if the protocol lacks PSNR and SSIM."""


def as_json(means: SetMeans) -> str:
    """Format means as the content of summary.json."""
    return json.dumps(asdict(means), indent=1) + "\n"


def read_beside(folders: Sequence[Path], name: str, conditions: Mapping[str, str]) -> list[SetMeans]:
    """Read the means of other runs from their folders, to be shown beside a run on the set `name`.

    Raises:
        UserError: A summary is missing or damaged, was measured under other conditions, or two are of the same set.
    """
    others: list[SetMeans] = []
    for folder in folders:
        other = _read(folder)
        for condition, wanted in conditions.items():
            theirs = other.conditions.get(condition, "unknown")
            if theirs != wanted:
                message = f"{folder}: made with another {condition}, {theirs}; here it is {wanted}"
                raise UserError(message, arguments="beside")
        if other.name in (name, *(one.name for one in others)):
            message = f"{folder}: {other.name} has its column already; name a folder of another set"
            raise UserError(message, arguments="beside")
        others.append(other)
    return others


def by_set_header(comparison: Comparison) -> list[str]:
    """Return the column headings: this run's image set, then those of the others."""
    return ["method", *(f"{s.name}, {s.images} image{'s' * (s.images > 1)}" for s in _sets(comparison))]


def by_set_cells(comparison: Comparison) -> list[list[str]]:
    """Return a row for each method of any run: its metrics on each set, "-" if it was not run there."""
    sets, figures = _sets(comparison), _figures(comparison)
    titles: dict[str, str] = {}
    for one in sets:
        titles |= {name: method.title for name, method in one.methods.items() if name not in titles}
    return [[title, *(_cell(one.methods.get(name), figures) for one in sets)] for name, title in titles.items()]


def cell_named(comparison: Comparison) -> str:
    """Name the metrics of a cell, such as "PSNR / SSIM / LPIPS (alex)"."""
    return " / ".join(LABELS[figure] for figure in _figures(comparison))


def _figures(comparison: Comparison) -> tuple[str, ...]:
    return FIGURES if set(FIGURES) <= set(comparison.columns) else FEWER_FIGURES


def _sets(comparison: Comparison) -> list[SetMeans]:
    return [comparison.means, *comparison.beside]


def _cell(method: MethodMeans | None, figures: Sequence[str]) -> str:
    if method is None or not set(figures) <= set(method.means):
        return "-"
    return " / ".join(f"{method.means[figure]:.{DIGITS.get(figure, 3)}f}" for figure in figures)


def _read(folder: Path) -> SetMeans:
    path = folder / SUMMARY
    try:
        content = read_json(path)
        methods = {name: MethodMeans(str(m["title"]), _floats(m["means"])) for name, m in content["methods"].items()}
        return SetMeans(str(content["name"]), int(content["images"]), dict(content["conditions"]), methods)
    except OSError as error:
        reason = f"cannot read {SUMMARY}: {error.strerror or error}"
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        reason = f"{SUMMARY} is damaged"
    raise UserError(f"{folder}: {reason}; run the benchmark in that folder first", arguments="beside")


def _floats(means: Mapping[str, float]) -> dict[str, float]:
    return {figure: float(value) for figure, value in means.items()}
