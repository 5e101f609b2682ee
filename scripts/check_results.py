"""Compare quality and ratios of speed with the committed figures, docs/figures/guard.json.

    python scripts/check_results.py             # fails with a line for each figure that got worse
    python scripts/check_results.py --update    # measures them with one and two threads, and writes them

It takes about two minutes on two cores. --update takes twice as long, because it measures the noise, too: two threads
sum in another order, and shares of the convolution's rate vary from one measurement to the next. They depend on the
processor and on PyTorch, so they are left out where one of these is another.
"""

import sys
from dataclasses import asdict

import tyro

from latentloop.errors import UserError
from latentloop.version import __version__
from measuring.guard import Guarded, check_noise, compare, guarded
from measuring.guard_figures import is_share, least_noise, median_share, quality, shares
from measuring.machine import machine_of, this_machine
from measuring.records import FIGURES, Record, read_record, today, write_record
from measuring.sources import ROOT

NAME = "guard"
"""Name of the record."""
REPEATS = 4
"""Measurements of the shares for their noise, each as long as the one that is compared."""


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
    committed, now = figures_of(record), quality(threads=1)
    if other := other_machine(record):
        print(f"shares of the convolution's rate: left out; the committed ones are from {other}")
        committed = {name: figure for name, figure in committed.items() if not is_share(name)}
    else:
        now |= median_share(shares())
    verdict = compare(committed, now)
    for line in verdict.better:
        print(f"better: {line}; keep it with --update")
    for line in verdict.worse:
        print(f"WORSE: {line}", file=sys.stderr)
    if not verdict.worse:
        print(f"{len(committed)} figures, none worse than on {record['date']}")
    return 1 if verdict.worse else 0


def figures_of(record: Record) -> dict[str, Guarded]:
    """Read the figures of a record."""
    return {name: Guarded(**figure) for name, figure in record["figures"].items()}


def other_machine(record: Record) -> str:
    """Name the processor and PyTorch of a record if they are not those of this machine; else nothing."""
    before, now = machine_of(record), this_machine()
    same = (before.processor, before.torch) == (now.processor, now.torch)
    return "" if same else f"{before.processor}, PyTorch {before.torch}"


def measure_noise() -> Record:
    """Measure all figures several times, and make a record of them.

    Raises:
        UserError: The figures vary too much.
    """
    machine, repeated = this_machine(), [median_share(shares()) for _ in range(REPEATS)]
    middle = median_share(repeated)
    speed = {
        name: guarded([middle[name], *(it[name] for it in repeated)], higher_is_better=True, least=least_noise(name))
        for name in middle
    }
    check_noise(speed)  # before the minutes that quality takes
    one, two = quality(threads=1), quality(threads=2)
    figures = {
        name: guarded([one[name], two[name]], higher_is_better=name.endswith(", id"), least=least_noise(name))
        for name in one
    }
    check_noise(figures)
    figures |= speed
    return {
        "figures": {name: asdict(figure) for name, figure in figures.items()},
        "command": "python scripts/check_results.py --update",
        "date": today(),
        "machine": asdict(machine),
        "latentloop": __version__,
    }


if __name__ == "__main__":
    try:
        sys.exit(tyro.cli(main, description=__doc__))
    except UserError as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        sys.exit(2)
