"""Speed of training an embedding network on photos, and where its time goes."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from latentloop.benchmark.options import MachineOptions, SpeedOptions
from latentloop.benchmark.speed import describe_machine, drawing, drawing_with_gradient, median_time
from latentloop.devices import find_device, find_precision
from latentloop.generators import load_generator
from latentloop.images import write_png
from latentloop.latents import sample_codes
from latentloop.optim.muon import Muon
from latentloop.options import with_changes
from latentloop.training import TrainOptions, set_up_training
from latentloop.training.learner import Learner
from latentloop.training.trainer import Trainer

PHOTOS = 64
"""Number of generated images that stand for photos."""
RECIPE: Mapping[str, Any] = {
    "image_target": "photo",
    "teacher_steps": 0,
    "cache": False,
    "lambda_id": 0.1,
    "repeats": 4,
    "mirror": True,
    "jitter": 1.0,
    "relight": 0.5,
    "photos_in": "device",
    "validation_images": 1,
}
"""Options of training on photos without an iterator; a quarter of each batch is generated."""
OURS = ("generator", "network", "losses")
"""Parts that training consists of; everything else should take little time."""


def time_training(options: SpeedOptions | None = None, machine: MachineOptions | None = None) -> Iterator[str]:
    """Time training on photos, and its parts; yields lines of Markdown, each once it is measured.

    Raises:
        UserError: A generator or the device does not exist.
    """
    options, machine = options or SpeedOptions(), machine or MachineOptions()
    device = find_device(machine.device)
    yield describe_machine(device, find_precision(machine.precision, device))
    for name in options.generators:
        for batch in options.batches:
            with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                chosen = _train_options(name, batch, options, machine, Path(folder))
                yield from TrainingBench(set_up_training(chosen).trainer, options.runs).table()


@dataclass(frozen=True)
class TrainingBench:
    """Times whole steps of a training run, and each of its parts separately."""

    trainer: Trainer
    """Trainer of a new run."""
    runs: int
    """Number of runs of each measurement."""

    def table(self) -> Iterator[str]:
        """Yield lines of Markdown: the time of each part, its share, and images per second."""
        batch, name = self.trainer.config.batch, self.trainer.collaboration.generator.name
        seconds = self.parts()
        whole = sum(seconds.values())
        yield from ("", f"Training for {name}, {batch} images a step: {batch / whole:.1f} images a second.")
        yield from ("", "| part | a step, ms | share |", "|---|---|---|")
        for part, taken in seconds.items():
            yield f"| {part} | {1000 * taken:.1f} | {taken / whole:.1%} |"
        outside = 1 - sum(seconds[part] for part in OURS) / whole
        yield from ("", f"Outside generator, network and losses: {outside:.1%}.")

    def parts(self) -> dict[str, float]:
        """Measure the seconds of a step's parts; the last one is the remainder of whole steps."""
        whole = self._whole_steps()
        works = {
            "reading": lambda: self.trainer.read(0),
            "changing and degrading": self._changing(),
            **self._learning(),
            "optimizer": self._optimizing(),
        }
        seconds = {name: median_time(work, runs=self.runs) for name, work in works.items()}
        # Photos are read ahead, in parallel to other parts if a core is free: the parts may exceed the whole.
        rest = max(0.0, whole - sum(seconds.values()))
        return {**seconds, "drawing what is learned from": self._drawing(), "rest": rest}

    def _whole_steps(self) -> float:
        """Measure the mean seconds of a step once all photos are read and a pool is drawn."""
        steps, look = self.trainer.run(), self.trainer.look_every
        config = self.trainer.config
        until_read = math.ceil(PHOTOS / (config.batch - config.synthetic_images)) + 1
        warm, counted = (look * math.ceil(count / look) for count in (until_read, self.runs))
        for _ in islice(steps, warm):
            pass
        begun = time.perf_counter()
        for _ in islice(steps, counted):
            pass
        return (time.perf_counter() - begun) / counted

    def _changing(self) -> Callable[[], object]:
        photos = self.trainer.read(0)
        return lambda: self.trainer.batch(photos)

    def _learning(self) -> dict[str, Callable[[], None]]:
        """Make functions for generator, network and losses, forward and backward."""
        both, embedder = self.trainer.collaboration, self.trainer.embedder.train()
        batch = self.trainer.batch(self.trainer.read(0))
        learning = [parameter for parameter in embedder.parameters() if parameter.requires_grad]
        size = both.resolution
        with torch.no_grad():
            w_plus = embedder(batch.images)
            image = both.generator.synthesis(w_plus, resolution=size).clone().requires_grad_()

        def find_codes() -> None:
            with both.mixed_precision():
                found: Tensor = embedder(batch.images)
            torch.autograd.grad(found.float().sum(), learning, allow_unused=True)

        def compare() -> None:
            terms = both.terms(w_plus, image, w_plus, image.detach().flip(0))
            torch.autograd.grad(torch.stack(list(terms.values())).sum(), image)

        draw = drawing_with_gradient(both.generator, batch=len(w_plus), resolution=size)
        return {"generator": draw, "network": find_codes, "losses": compare}

    def _optimizing(self) -> Callable[[], None]:
        named = {name: one for name, one in self.trainer.embedder.named_parameters() if one.requires_grad}
        groups, processes = [(named, 1e-6)], self.trainer.processes
        learner = Learner(groups, steps=1000, warm_up=0, average=0.999, clip=1, optimizer=Muon, processes=processes)

        def optimize() -> None:
            learner.learn(torch.stack([parameter.flatten()[0] for parameter in named.values()]).sum())

        return optimize

    def _drawing(self) -> float:
        """Measure the seconds per step of drawing generated images, each of which is used several times."""
        config, both = self.trainer.config, self.trainer.collaboration
        if not config.synthetic_images:
            return 0.0
        draw = drawing(self.trainer.drawing or both.generator, batch=1, resolution=self.trainer.embedder.resolution)
        return median_time(draw, runs=self.runs) * config.synthetic_images / config.repeats


def _train_options(
    generator: str, batch: int, options: SpeedOptions, machine: MachineOptions, folder: Path
) -> TrainOptions:
    """Return the options of a run on generated images, in files, as photos are."""
    drawn = load_generator(generator)
    size = min(256, drawn.resolution)
    for number, w_plus in enumerate(sample_codes(drawn, PHOTOS, randomness=torch.Generator().manual_seed(0))):
        with torch.no_grad():
            write_png(folder / "photos" / f"{number}.png", drawn.synthesis(w_plus[None], resolution=size))
    changes = {
        "data": str(folder / "photos"),
        "out": folder / "run",
        "generator": generator,
        "device": machine.device,
        "precision": machine.precision,
        "batch": batch,
        "synthetic": 0.25 if batch > 1 else 0.0,
        "resolution": size,
        "compile": options.compile,
        "spoil_on_device": find_device(machine.device).type != "cpu",
    }
    return with_changes(TrainOptions(), {**RECIPE, **changes})
