"""A benchmark of methods: every method on every image, each result on disk once it is there."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentloop.benchmark.comparison import Result
from latentloop.benchmark.meters import CallCounter, PeakMemory
from latentloop.benchmark.methods import Contender, Entry, Found
from latentloop.benchmark.protocols import EvaluationProtocol
from latentloop.benchmark.result_files import PHOTOS, BenchmarkFolder, Cost, Stored, key_of
from latentloop.benchmark.targets import Aligner, Target, check_names, find_target
from latentloop.devices import describe_device
from latentloop.errors import NotFiniteError, UserError
from latentloop.evaluation.measure import RESOLUTION
from latentloop.faces import FaceDetector
from latentloop.generators import Generator, noisy_synthesis
from latentloop.images import resample, write_png
from latentloop.inversion.iterator import OnStep

PICTURE = 256
"""Pixels of the reconstructions that are kept."""


@dataclass(frozen=True)
class Skipped:
    """An image that cannot be used, or a method that fails on it."""

    reason: str


Outcome = Result | Skipped


@dataclass(frozen=True)
class Benchmark:
    """Runs methods over images into a folder, and leaves alone what it finds finished there.

    Every method takes an image before the next image comes, so that a machine that slows down slows all of them.
    """

    folder: BenchmarkFolder
    entries: Sequence[Entry]
    generator: Generator
    """Draws the results."""
    protocol: EvaluationProtocol
    detector: FaceDetector | None
    """None takes the images as aligned."""
    counter: CallCounter
    batch: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What all codes depend on, beside the method's own settings and the image."""
    _warm: set[str] = field(default_factory=set)

    def run(self, photos: Sequence[Path], on_step: Callable[[Entry], OnStep] | None = None) -> Iterator[Outcome]:
        """Measure, and yield each result once it is on disk; those finished before, too.

        Args:
            photos: Image files, each of a name of its own.
            on_step: Makes what is called after each step of a method.

        Raises:
            UserError: The folder cannot be written to; two images share a name.
        """
        check_names(photos)
        for i in range(0, len(photos), self.batch):
            targets = []
            for photo in photos[i : i + self.batch]:
                try:
                    targets.append(self._target(photo))
                except UserError as error:
                    yield Skipped(str(error))
            for target in targets:
                if not self.folder.picture(PHOTOS, target.name).is_file():
                    write_png(self.folder.picture(PHOTOS, target.name), target.small)
            for entry in self.entries:
                yield from self._results(entry, targets, on_step(entry) if on_step else None)

    @property
    def device(self) -> torch.device:
        """Where codes are looked for."""
        return self.generator.device

    @property
    def size(self) -> int:
        """Pixels at which methods compare images."""
        return min(RESOLUTION, self.generator.resolution)

    def _target(self, photo: Path) -> Target:
        """An image; read, so that it is known to be one, unless all its results are there."""
        target = find_target(photo, Aligner(self.detector, self.generator.resolution, self.size))
        return target if all(self._is_measured(entry, target) for entry in self.entries) else target.read()

    def _is_measured(self, entry: Entry, target: Target) -> bool:
        stored = self.folder.read(entry.name, target.name, self._key(entry, target))
        return stored is not None and self._measure in stored.figures

    def _results(self, entry: Entry, targets: Sequence[Target], on_step: OnStep | None) -> Iterator[Outcome]:
        """One method on the images of a batch: measured before, found before, or found now."""
        missing = []
        for target in targets:
            stored = self.folder.read(entry.name, target.name, self._key(entry, target))
            figures = stored and (stored.figures.get(self._measure) or self._measured_now(entry, target))
            if stored and figures:
                if self._measure not in stored.figures:
                    stored = replace(stored, figures=stored.figures | {self._measure: figures})
                    self.folder.write(entry.name, target.name, stored)
                yield _result(entry, target, figures, stored.cost)
            else:
                missing.append(target)
        if missing:
            self._warm_up(entry)
            yield from self._find(entry, missing, on_step)

    def _find(self, entry: Entry, targets: Sequence[Target], on_step: OnStep | None) -> Iterator[Outcome]:
        try:
            found, images, cost = self._timed(entry.contender, torch.cat([target.small for target in targets]), on_step)
        except NotFiniteError as error:
            if len(targets) == 1:
                yield Skipped(f"{targets[0].photo}: {entry.name}: {error}")
                return
            for target in targets:  # so that one does not spoil the others
                yield from self._find(entry, [target], on_step)
            return
        figures = self.protocol.measure(images, torch.cat([target.face for target in targets]))
        for i, target in enumerate(targets):
            noise = [one[i] for one in found.noise or ()]
            self.folder.write_code(entry.name, target.name, found.w_plus[i], noise)
            write_png(self.folder.picture(PHOTOS, target.name), target.small)
            write_png(self.folder.picture(entry.name, target.name), resample(images[i : i + 1], PICTURE))
            stored = Stored(self._key(entry, target), cost, {self._measure: figures[i]})
            self.folder.write(entry.name, target.name, stored)
            yield _result(entry, target, figures[i], cost)

    def _measured_now(self, entry: Entry, target: Target) -> dict[str, float] | None:
        """By this protocol, what was found for another one."""
        found = self.folder.read_code(entry.name, target.name)
        if found is None:
            return None
        maps = None if found.noise is None else tuple(one.to(self.device) for one in found.noise)
        with torch.inference_mode():
            image = self.draw(Found(found.w_plus.to(self.device), maps), 0).cpu()
        return self.protocol.measure(image, target.face)[0]

    def _timed(self, contender: Contender, small: Tensor, on_step: OnStep | None) -> tuple[Found, Tensor, Cost]:
        """What was found, drawn on the CPU, and what it took."""
        target, memory = small.to(self.device), PeakMemory(self.device)
        before, count = self.counter.calls, len(small)
        with stopwatch(self.device) as watch:
            found = contender.find(target, on_step)
            with torch.inference_mode():
                images = torch.cat([self.draw(found, i) for i in range(count)])
        calls = (self.counter.calls - before) // count
        return found, images.cpu(), Cost(watch.seconds / count, memory.peak(), calls, count)

    def draw(self, found: Found, i: int) -> Tensor:
        """The image of one code, (1, 3, R, R), with its noise maps if it has any."""
        w_plus, synthesis = found.w_plus[i : i + 1], noisy_synthesis(self.generator)
        if found.noise is None or synthesis is None:
            return self.generator.synthesis(w_plus)
        image: Tensor = synthesis(w_plus, noise=[one[i : i + 1] for one in found.noise])
        return image

    def _warm_up(self, entry: Entry) -> None:
        """Let everything be allocated and tuned that is so only once."""
        if entry.name not in self._warm:
            self._timed(entry.warm_up, torch.zeros(self.batch, 3, self.size, self.size), None)
            self._warm.add(entry.name)

    @property
    def _measure(self) -> str:
        return f"{self.protocol.name}: {', '.join(self.protocol.columns)}"

    def _key(self, entry: Entry, target: Target) -> str:
        return key_of({"photo_sha256": target.sha256, **self.settings, **entry.settings})


@dataclass
class Watch:
    """How long something took."""

    seconds: float = 0.0


@contextmanager
def stopwatch(device: torch.device) -> Iterator[Watch]:
    """Measure a block's seconds, with all that it left a device to do."""
    watch = Watch()
    _wait(device)
    begun = time.perf_counter()
    yield watch
    _wait(device)
    watch.seconds = time.perf_counter() - begun


def describe_run(job: Benchmark, dtype: torch.dtype) -> dict[str, str]:
    """Where and how a benchmark ran."""
    return {
        "device": f"{describe_device(job.device)}, {str(dtype).removeprefix('torch.')}, batch {job.batch}",
        "versions": ", ".join(f"{name} {version(name)}" for name in ("latentloop", "torch")),
    }


def _result(entry: Entry, target: Target, figures: Mapping[str, float], cost: Cost) -> Result:
    return Result(
        method=entry.name,
        image=target.name,
        figures=figures,
        seconds=cost.seconds,
        memory=cost.memory,
        calls=cost.calls,
        batch=cost.batch,
    )


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
