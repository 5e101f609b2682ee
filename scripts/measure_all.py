"""Make the figures of docs/speed.md and of the table of methods in docs/results.md, and say which are stale.

    python scripts/measure_all.py                                            # lists all measurements
    python scripts/measure_all.py --run stale --held-out FOLDER              # stale and missing ones
    python scripts/measure_all.py --run generator edit
    python scripts/measure_all.py --run methods --methods one-pass hybrid --celeba FOLDER
    python scripts/measure_all.py --collect celeba=benchmark                 # a folder of latentloop bench
    python scripts/measure_all.py --table                                    # writes the tables and the plot

Each outcome is a JSON file in docs/figures, so a stopped run continues with what is still stale. Results of methods
are kept by method and photo: add photos and methods whenever there is time. Collect them with the sources that made
them.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import tyro

from latentloop.errors import UserError
from measuring import methods
from measuring.catalogue import MEASUREMENTS, named
from measuring.machine import this_machine
from measuring.measurement import Measurement
from measuring.pages import write_pages
from measuring.plot import write_plot
from measuring.records import make_record, read_record, state_of, write_record
from measuring.sources import ROOT
from measuring.tables import renderers

METHODS = "methods"
"""Name of the comparison of methods among the measurements."""


@dataclass(frozen=True)
class MeasureAll:
    """List, run and show the measurements of the project."""

    run: tuple[str, ...] = ()
    """Measurements to run: names, or stale for all that are stale or missing, but for methods."""
    table: bool = False
    """Write the tables of the documentation, and the plot, from the JSON files; after --run or --collect, if both are
    given."""
    collect: tuple[str, ...] = ()
    """Folders of latentloop bench whose results are added to those of methods: SET=FOLDER, where SET is samples or
    celeba."""
    samples: Path = ROOT / "examples" / "photos"
    """Sample photos."""
    held_out: Path | None = None
    """Aligned photos that no training saw; the beginnings of their names tell their parts."""
    celeba: Path | None = None
    """Aligned photos of CelebA for methods."""
    methods: tuple[str, ...] = methods.METHOD_NAMES
    """Methods that --run methods compares."""
    limit: int | None = None
    """Number of photos of each set for methods, the first ones. Default: all."""
    work: Path = ROOT / "out" / "measured"
    """Folder for results of latentloop bench, which continues there."""

    def __call__(self) -> None:
        """Do what was asked for; list the measurements if nothing was."""
        for name in self._chosen():
            if name == METHODS:
                self._compare()
            else:
                self._measure(named(name))
        for text in self.collect:
            name, _, folder = text.partition("=")
            if name not in ("samples", "celeba") or not folder:
                raise UserError(f"{text}: must be samples=FOLDER or celeba=FOLDER")
            self._collect(name, Path(folder))
        if self.table:
            for page in [*write_pages(renderers()), *write_plot()]:
                print(f"{page.relative_to(ROOT)}: written")
        if not (self.run or self.collect or self.table):
            self._list()
