"""Runs on several image sets side by side, as in a table of Guan et al. (arXiv:2007.01758)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from latentloop.benchmark.comparison import DIGITS, LABELS, Comparison, MethodMeans, SetMeans
from latentloop.errors import UserError

SUMMARY = "summary.json"
"""What a run leaves in its folder for the tables of others."""
FIGURES = ("psnr", "ssim", "lpips_alex")
"""In a cell, where the protocol has them."""
FEW = ("mse", "lpips_alex")
"""Where it has not."""


def as_json(means: SetMeans) -> str:
    """The content of summary.json."""
    return json.dumps(asdict(means), indent=1) + "\n"


def read_beside(folders: Sequence[Path], name: str, conditions: Mapping[str, str]) -> list[SetMeans]:
    """What other runs left in their folders, to stand beside a run on the set `name`.

    Raises:
        UserError: There is nothing, or it is damaged; it was made under other conditions; two are of one set.
    """
    found: list[SetMeans] = []
    for folder in folders:
        other = _read(folder)
        for condition, wanted in conditions.items():
            theirs = other.conditions.get(condition, "unknown")
            if theirs != wanted:
                raise UserError(f"--beside {folder}: made with another {condition}, {theirs}; here it is {wanted}")
        if other.name in (name, *(one.name for one in found)):
            raise UserError(f"--beside {folder}: {other.name} has its column already; name a folder of another set")
        found.append(other)
    return found


def by_set_header(comparison: Comparison) -> list[str]:
    """What the columns are called: this run's set, then the others."""
    return ["method", *(f"{s.name}, {s.images} image{'s' * (s.images > 1)}" for s in _sets(comparison))]


def by_set_cells(comparison: Comparison) -> list[list[str]]:
    """A row for each method that one of the runs has: PSNR / SSIM / LPIPS on each set, "-" where it has none."""
    sets, figures = _sets(comparison), _figures(comparison)
    titles: dict[str, str] = {}
    for one in sets:
        titles |= {name: method.title for name, method in one.methods.items() if name not in titles}
    return [[title, *(_cell(one.methods.get(name), figures) for one in sets)] for name, title in titles.items()]


def cell_named(comparison: Comparison) -> str:
    """What a cell holds, such as "PSNR / SSIM / LPIPS (alex)"."""
    return " / ".join(LABELS[figure] for figure in _figures(comparison))


def _figures(comparison: Comparison) -> tuple[str, ...]:
    return FIGURES if set(FIGURES) <= set(comparison.columns) else FEW


def _sets(comparison: Comparison) -> list[SetMeans]:
    return [comparison.means, *comparison.beside]


def _cell(method: MethodMeans | None, figures: Sequence[str]) -> str:
    if method is None or not set(figures) <= set(method.means):
        return "-"
    return " / ".join(f"{method.means[figure]:.{DIGITS.get(figure, 3)}f}" for figure in figures)


def _read(folder: Path) -> SetMeans:
    path = folder / SUMMARY
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        methods = {name: MethodMeans(str(m["title"]), _floats(m["means"])) for name, m in content["methods"].items()}
        return SetMeans(str(content["name"]), int(content["images"]), dict(content["conditions"]), methods)
    except OSError as error:
        reason = f"cannot read {SUMMARY}: {error.strerror or error}"
    except (ValueError, LookupError, TypeError, AttributeError):
        reason = f"{SUMMARY} is damaged"
    raise UserError(f"--beside {folder}: {reason}; write it with latentloop bench --out {folder}")


def _floats(means: Mapping[str, float]) -> dict[str, float]:
    return {figure: float(value) for figure, value in means.items()}
