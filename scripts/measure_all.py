"""Make the figures of docs/speed.md and of the table of methods in docs/results.md, and say which are stale.

    python scripts/measure_all.py                                            # lists all measurements
    python scripts/measure_all.py --run stale --held-out FOLDER              # stale and missing ones
    python scripts/measure_all.py --run generator edit
    python scripts/measure_all.py --run methods --methods one-pass hybrid --celeba FOLDER
    python scripts/measure_all.py --collect celeba=benchmark                 # a folder of latentloop bench
    python scripts/measure_all.py --table                                    # writes the tables and the plot

Each outcome is a JSON file in docs/figures, so a stopped run continues with what is still stale. Results of methods
are kept by method and photo: add photos and methods whenever there is time. --run methods goes on with its results of
the present sources, and measures those of other sources again. --collect takes new results for those of the present
sources.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from measuring.running import run_python
from measuring.sources import ROOT
from measuring.tables import SETS, renderers

BUSY = 1.0
"""Load above which times are those of a busy machine."""
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
    """Folder for results of latentloop bench, which continues there until its sources change."""

    def __call__(self) -> None:
        """Do what was asked for; list the measurements if nothing was."""
        for name in self._chosen():
            if name == METHODS:
                self._compare()
            else:
                self._measure(named(name))
        for text in self.collect:
            name, _, folder = text.partition("=")
            if name not in SETS or not folder:
                raise UserError(f"{text}: must be one of {', '.join(f'{one}=FOLDER' for one in SETS)}")
            self._collect(name, Path(folder), sources=None)
        if self.table:
            for page in [*write_pages(renderers()), *write_plot()]:
                print(f"{page.relative_to(ROOT)}: written")
        if not (self.run or self.collect or self.table):
            self._list()

    @property
    def folders(self) -> Mapping[str, Path | None]:
        """Folders of photos by the names that commands have for them; absolute, because commands run elsewhere."""
        named = {"samples": self.samples, "held_out": self.held_out, "celeba": self.celeba}
        return {name: folder and folder.absolute() for name, folder in named.items()}

    def _chosen(self) -> Iterator[str]:
        """Yield the measurements to run; those of `stale` that lack a folder are told and left out."""
        for name in self.run:
            if name != "stale":
                yield name if name == METHODS else named(name).name
                continue
            for one in MEASUREMENTS:
                missing = [folder for folder in one.folders if self.folders[folder] is None]
                if state_of(one, read_record(one.name)) == "fresh":
                    continue
                if missing:
                    print(f"{one.name}: left out; it needs {flags(missing)}")
                else:
                    yield one.name

    def _measure(self, one: Measurement) -> None:
        """Run a measurement, and write its record."""
        machine, depends = this_machine(), one.depends
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "figures.json"
            words = one.words(self.folders, file)
            print(f"{one.name}: {one.shown}", flush=True)
            if machine.load and machine.load > BUSY:
                print(f"{one.name}: the machine is busy (load {machine.load:.1f}): measure again when it is not")
            begun = time.perf_counter()
            said = run_python(words)
            minutes = (time.perf_counter() - begun) / 60
            record = make_record(one, one.read(said, file), machine=machine, minutes=minutes, depends=depends)
        print(f"{one.name}: {minutes:.1f} minutes, {write_record(one.name, record).relative_to(ROOT)}")

    def _compare(self) -> None:
        """Run the methods on each image set that there is, and collect their results.

        Results of other sources are in other folders: bench would take them for its own.

        Raises:
            UserError: The sources changed while the methods ran.
        """
        for name in SETS:
            folder = self.folders[name]
            if folder is None:
                print(f"{METHODS}: {name}: left out; it needs {flags([name])}")
                continue
            for sources, chosen in methods.by_sources(self.methods).items():
                out = self.work.absolute() / f"{name}-{sources[: methods.SHORT]}"
                words = ["-m", "latentloop", "bench", "--root", str(folder), "--out", str(out), "--methods", *chosen]
                words += ["--features", "vgg16", "--full-size"]
                if name == "celeba":
                    words.append("--aligned")
                if self.limit:
                    words += ["--limit", str(self.limit)]
                run_python(words, codes=(0, 2))  # 2: an image or a method was left out, and is named
                if sources not in methods.by_sources(chosen):
                    raise UserError(f"{METHODS}: the sources changed while they ran; nothing is taken from {out}")
                self._collect(name, out, sources=sources)

    def _collect(self, name: str, folder: Path, *, sources: str | None) -> None:
        """Add the results of a benchmark's folder to the record of methods; `sources` as in `methods.collect`."""
        record: dict[str, Any] = dict(read_record(METHODS) or {"sets": {}})
        before = record["sets"].get(name, {})
        try:
            after = methods.collect(folder, before=before, machine=this_machine(), sources=sources)
        except FileNotFoundError as error:
            raise UserError(str(error)) from error
        record["sets"] = record["sets"] | {name: after}
        path = write_record(METHODS, record)
        print(f"{METHODS}: {name}: {sum(map(len, after.values()))} results, {path.relative_to(ROOT)}")

    def _list(self) -> None:
        """Print the state of each measurement, the minutes that it takes, and what it is."""
        for one in MEASUREMENTS:
            record = read_record(one.name)
            minutes = record["minutes"] if record else one.minutes
            load = (record["machine"]["load"] or 0) if record else 0
            busy = f" [at load {load}]" if load > BUSY else ""
            needs = f" ({flags(one.folders)})" if set(one.folders) - {"samples"} else ""
            print(f"{one.name:18} {state_of(one, record):8} {minutes:6.1f} min  {one.about}{needs}{busy}")
        record = read_record(METHODS)
        old = list(methods.stale(record["sets"])) if record else []
        state = "missing" if record is None else "stale" if old else "fresh"
        print(f"{METHODS:18} {state:8} {'hours':>10}  the comparison of methods, by method and photo (--celeba FOLDER)")
        for line in old:
            print(f"{'':18} stale    {line}")
        if old:
            print(f"--run {METHODS} measures stale results again, beside the old ones in {self.work}")


def flags(folders: Sequence[str]) -> str:
    """Write the options that name folders."""
    return " ".join(f"--{name.replace('_', '-')} FOLDER" for name in folders)


if __name__ == "__main__":
    try:
        tyro.cli(MeasureAll)()
    except (UserError, LookupError) as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        sys.exit(2)
