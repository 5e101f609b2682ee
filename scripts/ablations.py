"""Train the embedding network in several ways on equal terms, and print what each came to as a Markdown table.

    python scripts/ablations.py train --quick mobile-128.safetensors --data FACES --few SOME --measured DEV --seed 1
    python scripts/ablations.py table

What was finished is not done again, so a stopped run goes on (the seconds of a way are then those since its last
save). Seeds can be trained side by side. The ways:

pairs: images that the generator draws of known codes alone. single: the same without the identity encoder.
tree-adam, dense-adam: the same with either head and Adam, to which Muon would leave the dense one alone.
dense-slow: with smaller steps, for the dense head diverges with those that suit the other.
pairs-on, photo, teacher: all from the network that pairs made: the same again; photos, with which the network's images
are compared; photos, with the iterator as teacher. cached, uncached: as teacher, but on a few photos that come again.
"""

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from latentloop import load
from latentloop.errors import UserError
from latentloop.training import Progress, train

Options = Mapping[str, Any]

FIGURES = {"lpips_alex": 3, "mse": 4, "id": 3}
"""Figure -> its digits."""
COMMON: Options = {"resolution": 128, "repeats": 4, "lambda_w": 0.1, "warm_up": 20}
MEASURING: Options = {"validation_images": 8, "save_every": 1000}
PHOTOS: Options = {"synthetic": 0.25, "image_target": "photo", "teacher_steps": 0, "cache": False, "steps": 60}
TEACHER: Options = {"synthetic": 0.25, "teacher_steps": 4, "steps": 20}
ADAM: Options = {"optimizer": "adam", "lr": 2e-3, "steps": 60}


@dataclass(frozen=True)
class Way:
    """One way to train."""

    options: Options
    """Options of `latentloop.training.train`."""
    photos: Literal["none", "all", "few"] = "none"
    """Photos to learn from."""
    start: str | None = None
    """The way whose network it begins with."""


WAYS = {
    "pairs": Way({"steps": 120}),
    "single": Way({"steps": 120, "identity": "none"}),
    "tree-adam": Way(ADAM),
    "dense-adam": Way({**ADAM, "head": "dense"}),
    "dense-slow": Way({**ADAM, "head": "dense", "lr": 3e-4}),
    "pairs-on": Way({"steps": 60}, start="pairs"),
    "photo": Way(PHOTOS, photos="all", start="pairs"),
    "teacher": Way(TEACHER, photos="all", start="pairs"),
    "cached": Way(TEACHER, photos="few", start="pairs"),
    "uncached": Way({**TEACHER, "cache": False}, photos="few", start="pairs"),
}
"""pairs and single, and the heads, see the same images; all others have about the same time."""


MEASURED: Options = {"method": "embed", "aligned": True, "batch": 2}
"""How the photos to measure on are embedded."""


@dataclass(frozen=True)
class Training:
    """Train each way with one seed, and embed the photos to measure on."""

    data: tuple[str, ...]
    """Square, aligned photos: folders, quoted globs, tar files."""
    few: tuple[str, ...]
    """Some dozens of them."""
    measured: tuple[str, ...]
    """Photos to measure on, never learned from."""
    quick: Path
    """A generator that draws 128 pixels; see scripts/train_default.py."""
    seed: int = 1
    """Of new networks, of drawn images and of the photos' order."""
    out: Path = Path("out/ablations")
    """Folder; each way has a folder of its own in it."""
    device: str = "auto"
    """auto, cpu, cuda ..."""

    generator: str = "mobile-ffhq-256"
    """Generator to train for."""
    drawing: str = "mobile-ffhq-1024"
    """Generator of the same codes to embed with."""

    def run(self) -> None:
        """Train and measure."""
        for name, way in WAYS.items():
            train(self.generator, on_progress=show, **self.training(name, way))
            model = load(self.drawing, embedder=self._folder(name) / "last.safetensors", device=self.device)
            for _ in model.invert_files(self.measured, self._folder(name) / "measured", **MEASURED):
                pass

    def training(self, name: str, way: Way) -> Options:
        """Arguments of `latentloop.training.train`."""
        return {
            **COMMON,
            **way.options,
            **MEASURING,
            "data": {"none": (), "all": self.data, "few": self.few}[way.photos],
            "validation": self.measured,
            "quick": self.quick,
            "start": self._folder(way.start) / "last.safetensors" if way.start else None,
            "seed": self.seed,
            "device": self.device,
            "out": self._folder(name),
        }

    def _folder(self, name: str) -> Path:
        return self.out / f"{name}-{self.seed}"


@dataclass(frozen=True)
class Table:
    """Print what is finished, a row for each way and seed."""

    groups: tuple[str, ...] = ("gen", "tpdne", "celeba")
    """Beginnings of the photos' names."""
    out: Path = Path("out/ablations")
    """Folder of the runs."""

    def run(self) -> None:
        """Print it."""
        heads = ["way", "seed", "seconds", *(f"{group} LPIPS" for group in self.groups), "LPIPS", "MSE", "ID"]
        print("| " + " | ".join(heads) + " |")
        print("|---" * len(heads) + "|")
        for name in WAYS:
            for seed in sorted(int(folder.name.rpartition("-")[2]) for folder in self.out.glob(f"{name}-[0-9]*")):
                folder = self.out / f"{name}-{seed}"
                if (folder / "measured" / "results.json").exists():
                    print(f"| {name} | {seed} | " + " | ".join(self._cells(folder)) + " |")

    def _cells(self, folder: Path) -> list[str]:
        seconds = sum(json.loads(line)["seconds"] for line in (folder / "log.jsonl").read_text().splitlines())
        photos = json.loads((folder / "measured" / "results.json").read_text())["photos"]
        found = [{**photo["metrics"], "name": photo["name"]} for photo in photos]
        parts = [[one["lpips_alex"] for one in found if one["name"].startswith(group)] for group in self.groups]
        means = [mean(part, 3) for part in parts]
        return [f"{seconds:.0f}", *means, *(mean([one[key] for one in found], d) for key, d in FIGURES.items())]


def show(progress: Progress) -> None:
    """Print what is logged whenever a run is saved."""
    if progress.saved:
        print("  ".join(f"{name} {value:.4g}" for name, value in progress.saved.items()), flush=True)


def mean(values: Sequence[float], digits: int) -> str:
    """A cell of the table."""
    return f"{statistics.mean(values):.{digits}f}" if values else "-"


if __name__ == "__main__":
    Command = Annotated[Training, tyro.conf.subcommand("train")] | Annotated[Table, tyro.conf.subcommand("table")]
    try:
        tyro.cli(Command, description=__doc__).run()
    except UserError as error:
        sys.exit(str(error))
