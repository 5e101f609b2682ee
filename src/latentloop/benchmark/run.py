"""Run of a benchmark: every method on every image, each result on disk as soon as it is done."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from latentloop.allocator import return_freed_memory
from latentloop.benchmark.comparison import Outcome, Result, Skipped
from latentloop.benchmark.edit_meter import EDITS, EditMeter
from latentloop.benchmark.finders import Codes, Finder
from latentloop.benchmark.meters import CallCounter, PeakMemory, stopwatch
from latentloop.benchmark.methods import PreparedMethod
from latentloop.benchmark.observer import Observer, Silent
from latentloop.benchmark.protocols import EvaluationProtocol
from latentloop.benchmark.result_files import PHOTOS, BenchmarkFolder, Cost, Stored
from latentloop.benchmark.targets import Aligner, Target, check_names, find_target
from latentloop.defaults import WORKING_SIZE
from latentloop.errors import NotFiniteError, UserError, is_out_of_memory
from latentloop.evaluation.full_size import FULL_SIZE_METRICS, measure_full_size
from latentloop.faces import AlignedFace, FaceDetector, already_aligned
from latentloop.features.lpips import Lpips
from latentloop.generators import Generator
from latentloop.images import resample
from latentloop.inversion.iterator import OnStep
from latentloop.ownership import refuse_links
from latentloop.stamps import key_of

PREVIEW_SIZE = 256
"""Side of the saved reconstructions, in pixels."""


@dataclass(frozen=True)
class Benchmark:
    """Runs methods on images into a folder; finished results are kept.

    Every method processes an image before the next image starts, so that a machine that slows down affects all of them.
    """

    folder: BenchmarkFolder
    methods: Sequence[PreparedMethod]
    generator: Generator
    """Generator of the results; `counter` counts its images."""
    protocol: EvaluationProtocol
    detector: FaceDetector | None
    """Face detector; None if the images are aligned already."""
    counter: CallCounter
    batch: int = 1
    """Number of images inverted together."""
    observer: Observer = field(default_factory=Silent)
    """Callbacks for the progress."""
    full_size: Lpips | None = None
    """LPIPS network of the full-size metrics; None leaves them out."""
    edits: EditMeter | None = None
    """Meter of the codes' edits; None leaves them out."""
    _warm: set[str] = field(default_factory=set)
    _noted: set[str] = field(default_factory=set)

    def run(self, photos: Sequence[Path]) -> Iterator[Outcome]:
        """Measure all methods on image files with distinct names; yields each result once it is on disk.

        Results that an earlier run finished are yielded, too.

        Raises:
            UserError: The folder cannot be written to or contains a link, or two images share a name.
        """
        check_names(photos)
        refuse_links(self.folder.path / PHOTOS, *(self.folder.path / method.name for method in self.methods))
        for i in range(0, len(photos), self.batch):
            targets = []
            for photo in photos[i : i + self.batch]:
                try:
                    targets.append(self._target(photo))
                except UserError as error:
                    yield Skipped(error)
            for target in targets:
                if not os.path.lexists(self.folder.picture(PHOTOS, target.name)):
                    self.folder.write_target(target.name, target.small)
            for method in self.methods:
                yield from self._results(method, targets)

    @property
    def device(self) -> torch.device:
        """Device on which codes are computed."""
        return self.generator.device

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the metrics, in the order of tables."""
        return (*self.protocol.columns, *(FULL_SIZE_METRICS if self.full_size else ()), *(EDITS if self.edits else ()))

    @property
    def size(self) -> int:
        """Side of the images that methods compare, in pixels."""
        return min(WORKING_SIZE, self.generator.resolution)

    def _target(self, photo: Path) -> Target:
        """Find an image; read it, to test that it is one, unless all its results exist."""
        target = find_target(photo, Aligner(self.detector, self.generator.resolution, self.size))
        return target if all(self._is_measured(method, target) for method in self.methods) else target.read()

    def _is_measured(self, method: PreparedMethod, target: Target) -> bool:
        stored = self._stored(method, target)
        return stored is not None and self._metrics in stored.figures

    def _stored(self, method: PreparedMethod, target: Target) -> Stored | None:
        """Read a result if it exists and its key matches."""
        stored = self.folder.read(method.name, target.name)
        if stored is None or stored.key == self._key(method, target):
            return stored
        note = (
            f"results in {self.folder.path} were made from other photos, with other settings or by another version; "
            "they are recomputed"
        )
        if note not in self._noted:
            self._noted.add(note)
            self.observer.note(note)
        return None

    def _results(self, method: PreparedMethod, targets: Sequence[Target]) -> Iterator[Outcome]:
        """Yield a method's results on a batch: stored ones, stored codes measured anew, and new ones."""
        missing = []
        for target in targets:
            stored = self._stored(method, target)
            figures = stored and (stored.figures.get(self._metrics) or self._measured_now(method, target))
            if stored and figures:
                if self._metrics not in stored.figures:
                    stored = replace(stored, figures=stored.figures | {self._metrics: figures})
                    self.folder.write_figures(method.name, target.name, stored)
                yield _result(method, target, figures, stored.cost)
                continue
            try:
                self.folder.refuse_strangers(method.name, target.name)
            except UserError as error:
                yield Skipped(error)
            else:
                missing.append(target)
        if missing:
            if method.name not in self._warm:
                self._warm.add(method.name)
                self._warm_up(method, self.batch)
            yield from self._find(method, missing)

    def _find(self, method: PreparedMethod, targets: Sequence[Target]) -> Iterator[Outcome]:
        """Yield a method's new results on a batch; if that fails, halves are tried separately."""
        try:
            codes, images, cost = self._timed(
                method.finder,
                torch.cat([target.small for target in targets]),
                [target.face for target in targets],
                partial(self.observer.step, method),
            )
        except (NotFiniteError, MemoryError, RuntimeError) as error:
            problem = self._problem(error)
            return_freed_memory()  # of the failed attempt, before the halves are tried
        else:
            yield from self._found(method, targets, codes, images, cost)
            return
        if len(targets) == 1:
            yield Skipped(UserError(f"{targets[0].photo}: {method.name}: {problem}"))
            return
        middle = len(targets) // 2  # halving isolates the image that fails, and needs less memory
        yield from self._find(method, targets[:middle])
        yield from self._find(method, targets[middle:])

    def _problem(self, error: Exception) -> str:
        """Say why a method fails on some images; raises any error that ends the run."""
        if is_out_of_memory(error):
            return f"not enough memory on {self.device}"
        if isinstance(error, NotFiniteError):
            return str(error)
        raise error

    def _found(
        self, method: PreparedMethod, targets: Sequence[Target], codes: Codes, images: Tensor, cost: Cost
    ) -> Iterator[Outcome]:
        """Measure new codes of N targets with their images (N, 3, S, S), and write them."""
        figures = self._measure(codes, images, targets)
        for i, target in enumerate(targets):
            self.folder.write_target(target.name, target.small)
            picture, before = resample(images[i : i + 1], PREVIEW_SIZE), self._stored(method, target)
            # Metrics by other protocols, of a code that could not be redrawn, stay if the new one draws the same: on a
            # GPU two searches may differ.
            kept = before.figures if before and self.folder.shows(method.name, target.name, before, picture) else {}
            stored = Stored(self._key(method, target), cost, {**kept, self._metrics: figures[i]})
            self.folder.write(method.name, target.name, stored, codes.of(i), picture)
            yield _result(method, target, figures[i], cost)

    def _measured_now(self, method: PreparedMethod, target: Target) -> dict[str, float] | None:
        """Measure a stored code by this protocol; None if it cannot be drawn again."""
        codes = self.folder.read_code(method.name, target.name)
        if codes is None:
            return None
        noise = None if codes.noise is None else tuple(layer.to(self.device) for layer in codes.noise)
        on_device = Codes(codes.w_plus.to(self.device), noise)
        with torch.inference_mode():
            image = on_device.drawn_by(self.generator).synthesis(on_device.w_plus).cpu()
        return self._measure(on_device, image, [target])[0]

    def _measure(self, codes: Codes, images: Tensor, targets: Sequence[Target]) -> list[dict[str, float]]:
        """Measure codes of N targets with their images (N, 3, S, S): by the protocol, at full size, and under edits."""
        faces = [target.face for target in targets]
        figures = self.protocol.measure(images, torch.cat([face.image for face in faces]))
        for i, (one, face) in enumerate(zip(figures, faces, strict=True)):
            if self.full_size:
                one |= measure_full_size(images[i : i + 1], face.image, self.full_size, side=face.side)
            if self.edits:
                code = codes.of(i)
                meter = replace(self.edits, generator=code.drawn_by(self.edits.generator))
                one |= meter.edits(code.w_plus, face.image)
        return figures

    def _timed(
        self, finder: Finder, small: Tensor, faces: Sequence[AlignedFace], on_step: OnStep | None = None
    ) -> tuple[Codes, Tensor, Cost]:
        """Compute codes; returns them, their images on the CPU, and the cost of both."""
        target, memory = small.to(self.device), PeakMemory(self.device)
        before, count = self.counter.calls, len(small)
        with stopwatch(self.device) as watch:
            codes = finder.find(target, faces, on_step and watch.without(on_step))
            with torch.inference_mode():
                singles = [codes.of(i) for i in range(count)]
                images = torch.cat([one.drawn_by(self.generator).synthesis(one.w_plus) for one in singles])
        calls = (self.counter.calls - before) // count
        return codes, images.cpu(), Cost(watch.seconds / count, memory.peak(), calls, count)

    def _warm_up(self, method: PreparedMethod, count: int) -> None:
        """Run a method briefly on some images, so that one-time allocation and tuning are not measured."""
        blank = torch.zeros(1, 3, self.generator.resolution, self.generator.resolution)
        faces = [already_aligned(blank, self.generator.resolution)] * count
        try:
            self._timed(method.warm_up, torch.zeros(count, 3, self.size, self.size), faces)
        except (NotFiniteError, MemoryError, RuntimeError) as error:
            self._problem(error)  # raises what ends the run; the images themselves will meet any other problem, too
        else:
            return
        if count > 1:
            self._warm_up(method, count // 2)

    @property
    def _metrics(self) -> str:
        return f"{self.protocol.name}: {', '.join(self.columns)}"

    def _key(self, method: PreparedMethod, target: Target) -> str:
        return key_of({**method.stamp, "photo_sha256": target.sha256})


def _result(method: PreparedMethod, target: Target, figures: Mapping[str, float], cost: Cost) -> Result:
    return Result(
        method=method.name,
        image=target.name,
        figures=figures,
        seconds=cost.seconds,
        memory=cost.memory,
        calls=cost.calls,
        batch=cost.batch,
    )
