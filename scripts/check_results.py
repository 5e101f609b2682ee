"""Compare quality and ratios of speed with the committed figures, docs/figures/guard.json.

    python scripts/check_results.py             # fails with a line for each figure that got worse
    python scripts/check_results.py --update    # measures them with one and two threads, and writes them

It takes about two minutes on two cores. --update takes twice as long, because it measures the noise, too: two threads
sum in another order, and shares of the convolution's rate vary from round to round.
"""

import sys
from dataclasses import asdict

import tyro

from latentloop.version import __version__
from measuring.guard import Guarded, compare, guarded
from measuring.guard_figures import least_noise, median_share, quality, shares
from measuring.machine import this_machine
from measuring.records import FIGURES, Record, read_record, today, write_record
from measuring.sources import ROOT

NAME = "guard"
"""Name of the record."""


def main(update: bool = False) -> int:
    """Measure and compare; returns 1 if a figure got worse, and 2 if there are none to compare with.

    Args:
        update: Write the figures as the ones to compare with from now on.
    """
    if update:
        print(f"{write_record(NAME, measure_noise()).relative_to(ROOT)}: written; say in the commit why they changed")
        return 0
    record = read_record(NAME)
    if record is None:
        print(f"{FIGURES / NAME}.json: not there; make it with --update", file=sys.stderr)
        return 2
    verdict = compare(figures_of(record), quality(threads=1) | median_share(shares()))
    for line in verdict.better:
        print(f"better: {line}; keep it with --update")
    for line in verdict.worse:
        print(f"WORSE: {line}", file=sys.stderr)
    if not verdict.worse:
        print(f"{len(record['figures'])} figures, none worse than on {record['date']}")
    return 1 if verdict.worse else 0


def figures_of(record: Record) -> dict[str, Guarded]:
    """Read the figures of a record."""
    return {name: Guarded(**figure) for name, figure in record["figures"].items()}


def measure_noise() -> Record:
    """Measure all figures several times, and make a record of them."""
    machine, one, two, rounds = this_machine(), quality(threads=1), quality(threads=2), shares()
    middle = median_share(rounds)
    figures = {
        name: guarded([one[name], two[name]], higher_is_better=name.endswith(", id"), least=least_noise(name))
        for name in one
    }
    figures |= {
        name: guarded([middle[name], *(it[name] for it in rounds)], higher_is_better=True, least=least_noise(name))
        for name in middle
    }
    return {
        "figures": {name: asdict(figure) for name, figure in figures.items()},
        "command": "python scripts/check_results.py --update",
        "date": today(),
        "machine": asdict(machine),
        "latentloop": __version__,
    }


if __name__ == "__main__":
    sys.exit(tyro.cli(main, description=__doc__))
