"""A benchmark of methods: every method on every image, each result on disk once it is there."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentloop.errors import NotFiniteError, UserError
from latentloop.evaluation.benchmark_report import Result
from latentloop.evaluation.protocols import EvaluationProtocol
from latentloop.faces import FaceDetector, align_faces, whole_square
from latentloop.files import replacing, sha256_of
from latentloop.generators import Generator
from latentloop.images import read_image, resample, write_png
from latentloop.inversion.iterator import OnStep
from latentloop.pipeline.contenders import Contender, Found
from latentloop.pipeline.meters import CallCounter, PeakMemory
from latentloop.pipeline.results import describe

RESOLUTION = 256
PICTURE = 256
"""Pixels of the reconstructions that are kept."""


@dataclass(frozen=True)
class Entry:
    """A method in a run."""

    name: str
    """Of its folder, such as "hybrid-50"."""
    title: str
    note: str
    """Its source, and what differs from it."""
    contender: Contender
    warm_up: Contender
    """The same with few steps."""
    settings: Mapping[str, Any]
    """All that its results depend on, beside the image."""


@dataclass(frozen=True)
class Measurement:
    """A method on an image."""

    method: str
    image: str
    """Its name, without folders and ending."""
    figures: Mapping[str, float]
    seconds: float
    """Of finding the code and drawing it at full size, for one image of the batch."""
    memory: int | None
    """Bytes at the peak, of the process on a CPU, of what is allocated on a GPU; None where it cannot be told."""
    calls: int
    """How often the generator drew an image."""
    batch: int
    losses: Sequence[float] = field(default=())

    def as_result(self) -> Result:
        """As tables have it."""
        figures = (self.method, self.image, self.figures, self.seconds, self.memory, self.calls, self.batch)
        return Result(*figures)


@dataclass(frozen=True)
class Skipped:
    """An image that cannot be used, or a method that fails on it."""

    what: str
    reason: str


@dataclass(frozen=True)
class Benchmark:
    """Runs methods over images into a folder, and leaves alone what it finds finished there.

    OUT/METHOD/IMAGE.json holds the figures, IMAGE.png the reconstruction; OUT/photos/IMAGE.png the target.
    """

    out: Path
    entries: Sequence[Entry]
    generator: Generator
    """Draws the results."""
    protocol: EvaluationProtocol
    detector: FaceDetector | None
    """None takes the images as aligned."""
    counter: CallCounter
    batch: int = 1

    def run(
        self, photos: Sequence[Path], on_step: Callable[[Entry], OnStep] | None = None
    ) -> Iterator[Measurement | Skipped]:
        """Measure, and yield each result once it is on disk; those finished before, too.

        Args:
            photos: Image files, each of a name of its own.
            on_step: Makes what is called after each step of a method.

        Raises:
            UserError: The folder cannot be written to; two images share a name.
        """
        check_names(photos)
        for entry in self.entries:
            warm = False
            for photos_together in _batches(photos, self.batch):
                done = [self._finished(entry, photo) for photo in photos_together]
                if all(done):
                    yield from (one for one in done if one)
                    continue
                if not warm:
                    self._warm_up(entry)
                    warm = True
                yield from self._measure(entry, photos_together, on_step(entry) if on_step else None)

    def _measure(self, entry: Entry, photos: Sequence[Path], on_step: OnStep | None) -> Iterator[Measurement | Skipped]:
        names, targets = [], []
        for photo in photos:
            try:
                targets.append(self._target(photo))
                names.append(photo)
            except UserError as error:
                yield Skipped(str(photo), str(error))
        if not targets:
            return
        target = torch.cat(targets).to(self.device)
        try:
            found, images, told = self._timed(entry.contender, target, on_step)
        except NotFiniteError as error:
            for photo in names:
                yield Skipped(f"{entry.name}: {photo}", f"{photo}: {entry.name}: {error}")
            return
        figures = self.protocol.measure(images, torch.cat(targets))
        for i, photo in enumerate(names):
            losses = [] if found.losses is None else found.losses[:, i].tolist()
            yield self._save(entry, photo, Measurement(entry.name, photo.stem, figures[i], *told, losses), images[i])

    def _timed(
        self, contender: Contender, target: Tensor, on_step: OnStep | None
    ) -> tuple[Found, Tensor, tuple[float, int | None, int, int]]:
        """What was found, drawn on the CPU, and its seconds, memory, calls and batch."""
        memory = PeakMemory(self.device)
        before = self.counter.calls
        with stopwatch(self.device) as watch:
            found = contender.find(target, on_step)
            with torch.inference_mode():
                images = torch.cat([self.draw(found, i) for i in range(len(target))])
        calls, batch = (self.counter.calls - before) // len(target), len(target)
        return found, images.cpu(), (watch.seconds / batch, memory.peak(), calls, batch)

    @property
    def device(self) -> torch.device:
        """Where codes are looked for."""
        return self.generator.latent_avg.device

    def draw(self, found: Found, i: int) -> Tensor:
        """The image of one code, (1, 3, R, R), with its noise maps if it has any."""
        if found.noise is None:
            return self.generator.synthesis(found.w_plus[i : i + 1])
        noise: Any = [one[i : i + 1] for one in found.noise]
        synthesis: Callable[..., Tensor] = self.generator.synthesis
        return synthesis(found.w_plus[i : i + 1], noise=noise)

    def _warm_up(self, entry: Entry) -> None:
        """Let everything be allocated and tuned that is so only once."""
        target = torch.zeros(self.batch, 3, RESOLUTION, RESOLUTION, device=self.device)
        self._timed(entry.warm_up, target, None)

    def _target(self, photo: Path) -> Tensor:
        """The aligned face, (1, 3, 256, 256) in [-1, 1]."""
        image = read_image(photo)
        size = self.generator.resolution
        faces = [whole_square(image, size)] if self.detector is None else align_faces(image, self.detector, size)
        target = resample(faces[0].image, RESOLUTION)
        picture = self.out / "photos" / f"{photo.stem}.png"
        if not picture.is_file():
            write_png(picture, target)
        return target

    def _save(self, entry: Entry, photo: Path, measured: Measurement, image: Tensor) -> Measurement:
        path = self.out / entry.name / f"{photo.stem}.json"
        write_png(path.with_suffix(".png"), resample(image[None], PICTURE))
        content = {"photo_sha256": sha256_of(photo), "settings": _key(entry.settings), **asdict(measured)}
        with replacing(path) as part:
            part.write_text(json.dumps(content), encoding="utf-8")
        return measured

    def _finished(self, entry: Entry, photo: Path) -> Measurement | None:
        """What was measured before with the same settings."""
        path = self.out / entry.name / f"{photo.stem}.json"
        if not path.is_file() or not path.with_suffix(".png").is_file() or not photo.is_file():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            same = content.pop("photo_sha256") == sha256_of(photo)
            same = same and content.pop("settings") == _key(entry.settings)
            return Measurement(**content) if same else None
        except (OSError, ValueError, LookupError, TypeError):
            return None  # damaged: it is made again


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


def check_names(photos: Sequence[Path]) -> None:
    """See that each image has a name of its own.

    Raises:
        UserError: Two share one, endings aside.
    """
    seen: dict[str, Path] = {}
    for photo in photos:
        other = seen.setdefault(photo.stem, photo)
        if other != photo:
            raise UserError(f"{photo} and {other} share a name; give each image one of its own")


def describe_run(job: Benchmark, dtype: str) -> dict[str, str]:
    """Where and how a benchmark ran."""
    return {
        "device": f"{describe(job.device)}, {dtype.removeprefix('torch.')}, batch {job.batch}",
        "versions": ", ".join(f"{name} {version(name)}" for name in ("latentloop", "torch")),
    }


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _batches(photos: Sequence[Path], size: int) -> Iterator[Sequence[Path]]:
    for i in range(0, len(photos), size):
        yield photos[i : i + size]


def _key(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
