"""Train a network with the iterator as its teacher, and without, for equal times, and print what came of it.

    python scripts/collaboration_trials.py --data "faces/*.tar" --held-out held-out --minutes 5 --seeds 1 2

First a network learns from photos and drawn images, `--minutes` of one seed. All ways go on from it for as long:

photo: its images are compared with the photos. teacher-1, -2, -3: with those of the iterator's codes after so many
steps in the generator's metric, from the better of the network's code and the cache's; the codes are compared, too.
teacher-2-metric: the same, the codes in the metric. both: the images with the photos, the codes with the iterator's.

What was finished is not done again.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import tyro

from latentloop.devices import find_device
from latentloop.encoders import load_embedder
from latentloop.errors import UserError
from latentloop.evaluation.measure import load_evaluator
from latentloop.evaluation.one_pass import measure_by_part
from latentloop.generators import load_generator
from latentloop.photos.find import find_training_photos
from latentloop.stamps import as_plain
from latentloop.training import train
from latentloop.training.photos import PhotoSet

Options = Mapping[str, Any]
UNTAUGHT: Options = {"image_target": "photo", "teacher_steps": 0, "cache": False, "lambda_w": 0.1}
TAUGHT: Options = {"teacher_metric": True, "teacher_lr": 0.06, "lambda_w": 1.0}
WAYS: Mapping[str, Options] = {
    "photo": UNTAUGHT,
    **{f"teacher-{steps}": {**TAUGHT, "teacher_steps": steps} for steps in (1, 2, 3)},
    "teacher-2-metric": {**TAUGHT, "teacher_steps": 2, "code_distance": "metric"},
    "both": {**TAUGHT, "teacher_steps": 1, "code_distance": "metric", "image_target": "photo"},
}
"""Options of training, by way."""
BEGUN = "begun"
COMMON: Options = {"synthetic": 0.25, "repeats": 4, "mirror": True, "warm_up": 20, "steps": 1_000_000}
MEASURING: Options = {"validation_images": 1, "save_every": 1_000_000}
AT_ONCE = 5
"""Photos that are measured together."""
FIGURES = {"lpips_alex": 3, "mse": 4, "id": 3}
"""Figure -> its digits."""


@dataclass(frozen=True)
class Trials:
    """Train all ways with all seeds."""

    data: tuple[str, ...]
    """Square, aligned photos: folders, quoted globs, tar files."""
    held_out: tuple[str, ...]
    """Photos to measure on, never learned from; the beginning of a name, up to the first "-", tells its part."""
    minutes: float = 5.0
    """Of each training."""
    seeds: tuple[int, ...] = (1, 2)
    """Of new networks, of drawn images and of the photos' order."""
    lr: float = 2e-3
    """Largest step size."""
    batch: int = 8
    """Images a step."""
    generator: str = "mobile-ffhq-256"
    """Generator to train for."""
    device: str = "auto"
    """auto, cpu, cuda ..."""
    out: Path = Path("out/collaboration-trials")
    """Folder; each training has a folder of its own in it."""

    def run(self) -> None:
        """Print a line of a Markdown table for each way and seed, once it is measured."""
        heads = ("way", "seed", "images", *FIGURES)
        print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
        for seed in self.seeds:
            for name in (BEGUN, *WAYS):
                found = self._measured(name, seed)
                figures = [f"{found[figure]:.{digits}f}" for figure, digits in FIGURES.items()]
                print(f"| {name} | {seed} | {found['images']:,} | {' | '.join(figures)} |", flush=True)

    def _measured(self, name: str, seed: int) -> dict[str, Any]:
        file, asked = self._folder(name, seed) / "measured.json", as_plain(asdict(replace(self, seeds=(), out=Path())))
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if not found:
            images = self._trained(name, seed) * self.batch
            found = {**self._figures(name, seed), "images": images, "asked": asked}
            file.write_text(json.dumps(found), encoding="utf-8")
        if found["asked"] != asked:
            raise UserError(f"{file.parent}: made with other options; choose another --out")
        return found

    def _trained(self, name: str, seed: int) -> int:
        """Train, or go on; returns the number of steps."""
        begun = None if name == BEGUN else self._folder(BEGUN, seed) / "last.safetensors"
        way = UNTAUGHT if name == BEGUN else WAYS[name]
        sizes: Options = {
            "minutes": self.minutes,
            "seed": seed,
            "lr": self.lr,
            "batch": self.batch,
            "device": self.device,
        }
        files: Options = {
            "data": self.data,
            "validation": self.held_out,
            "start": begun,
            "out": self._folder(name, seed),
        }
        train(self.generator, **COMMON, **MEASURING, **way, **sizes, **files)
        last = (self._folder(name, seed) / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1]
        return int(json.loads(last)["step"])

    def _figures(self, name: str, seed: int) -> Mapping[str, float]:
        generator = load_generator(self.generator, device=find_device(self.device))
        evaluator = load_evaluator(device=generator.device)
        network = load_embedder(self._folder(name, seed) / "last.safetensors", generator)
        photos = PhotoSet(find_training_photos(self.held_out), network.resolution, device=generator.device)
        return measure_by_part(network, generator, photos.batches(AT_ONCE), evaluator)["mean"]

    def _folder(self, name: str, seed: int) -> Path:
        return self.out / f"{name}-{seed}"


if __name__ == "__main__":
    try:
        tyro.cli(Trials).run()
    except UserError as error:
        sys.exit(str(error))
