"""Speed of a training step of the collaboration, compared with the generator passes of its iterator."""

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.profiler import ProfilerActivity, profile

from latentloop.benchmark.meters import PeakMemory
from latentloop.benchmark.options import MachineOptions, SpeedOptions
from latentloop.benchmark.speed import describe_machine, drawing_with_gradient, median_time
from latentloop.cache import CodeCache, CodeSpace
from latentloop.devices import find_device, find_precision, repeatable_arithmetic
from latentloop.encoders import PRESETS, make_embedder
from latentloop.features.lpips import load_lpips
from latentloop.generators import Generator, load_generator, low_precision
from latentloop.latents import sample_codes
from latentloop.losses import iterator_loss
from latentloop.optim.muon import Muon
from latentloop.training.collaboration import Batch, Collaboration
from latentloop.training.collaboration_config import CollaborationConfig
from latentloop.training.learner import Learner
from latentloop.training.pending import PendingCodes
from latentloop.training.processes import find_processes
from latentloop.weights import ReadOnce

HEADER = "| batch | a step, ms | forward and backward of the generator, ms | step / ((iterator's steps + 2) times it) |"
OPERATIONS = 10
"""Number of operations that a profile lists."""


def time_collaboration(options: SpeedOptions | None = None, machine: MachineOptions | None = None) -> Iterator[str]:
    """Time a training step of the collaboration; yields lines of Markdown, each once it is measured.

    Raises:
        UserError: A generator or the device does not exist.
    """
    options, machine = options or SpeedOptions(), machine or MachineOptions()
    repeatable_arithmetic()
    device = find_device(machine.device)
    dtype = find_precision(machine.precision, device)
    with ReadOnce():
        generators = [load_generator(name, device=device) for name in options.generators]
    yield describe_machine(device, dtype)
    for generator in generators:
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            yield from CollaborationBench(generator, dtype, options.batches, options.runs, Path(folder)).table()


@dataclass(frozen=True)
class CollaborationBench:
    """Times whole training steps on photos: proposal, iterator, cache, gradient, Muon."""

    generator: Generator
    dtype: torch.dtype
    batches: Sequence[int]
    """Batch sizes: photos in a training step."""
    runs: int
    """Runs of each measurement; the median is reported."""
    folder: Path
    """Empty folder for code caches."""
    config: CollaborationConfig = CollaborationConfig()
    reads: ReadOnce = field(default_factory=ReadOnce)
    """Context in which each weights file is read once for all batch sizes."""

    def table(self) -> Iterator[str]:
        """Yield lines of Markdown, each once it is measured: times, then a profile of the last batch size."""
        steps, device = self.config.teacher_steps, self.generator.device
        memory = PeakMemory(device)
        yield f"One collaborative step on {self.generator.name}, {steps} steps of the iterator on each photo."
        yield from ("", HEADER, "|---" * (HEADER.count("|") - 1) + "|")
        for batch in self.batches:
            step = self.step(batch)
            whole = median_time(step, runs=self.runs)
            drawn = median_time(self._drawing(batch), runs=self.runs)
            # Passes of the generator in a step: the proposal, each step of the iterator, and its result.
            yield f"| {batch} | {1000 * whole:.0f} | {1000 * drawn:.0f} | {whole / ((steps + 2) * drawn):.2f} |"
        if peak := memory.peak():
            yield from ("", f"Memory at its peak: {peak / 1e9:.1f} GB.")
        rows = _profile(step, on_accelerator=device.type == "cuda")
        yield from ("", "| operation | share of the time | calls |", "|---|---|---|", *rows)

    def step(self, batch: int) -> Callable[[], None]:
        """Make a function that takes one training step on `batch` photos, always the same ones."""
        processes = find_processes(self.generator.device, self.dtype)
        with self.reads:
            collaboration = replace(self._collaboration(batch), mixed_precision=processes.mixed_precision)
        learning = {n: p for n, p in collaboration.embedder.named_parameters() if p.requires_grad}
        learner = Learner([(learning, 1e-4)], steps=1000, warm_up=0, average=0.999, optimizer=Muon, processes=processes)
        codes = sample_codes(self.generator, batch, randomness=torch.Generator().manual_seed(0))
        with torch.no_grad():
            images = self.generator.synthesis(codes, resolution=self._resolution)
        keys = [number.to_bytes(32, "big") for number in range(batch)]
        photos = Batch(images, keys, codes[:0], images[:0])

        def step() -> None:
            terms, _ = collaboration.learn(photos, step=learner.step)
            learner.learn(torch.stack(list(terms.values())).sum(dim=0).mean())
            collaboration.cache.accept()

        return step

    @property
    def _resolution(self) -> int:
        return min(PRESETS["small"].resolution, self.generator.resolution)

    def _drawing(self, batch: int) -> Callable[[], None]:
        drawn = low_precision(self.generator, self.dtype)
        return drawing_with_gradient(drawn, batch=batch, resolution=self._resolution)

    def _collaboration(self, batch: int) -> Collaboration:
        generator = self.generator
        space = CodeSpace(generator.fingerprint, generator.num_ws, generator.w_dim, {})
        lpips = load_lpips(device=generator.device, dtype=self.dtype)
        return Collaboration(
            embedder=make_embedder(replace(PRESETS["small"], resolution=self._resolution), generator, seed=0),
            generator=low_precision(generator, self.dtype),
            loss=iterator_loss(lpips=lpips),
            perceptual=lpips,
            config=self.config,
            cache=PendingCodes(CodeCache(self.folder / f"{batch}.cache", space)),
        )


def _profile(step: Callable[[], None], *, on_accelerator: bool) -> Iterator[str]:
    activity = ProfilerActivity.CUDA if on_accelerator else ProfilerActivity.CPU
    with profile(activities=[activity]) as profiled:
        step()
    time = operator.attrgetter("self_device_time_total" if on_accelerator else "self_cpu_time_total")
    operations = sorted(profiled.key_averages(), key=time, reverse=True)
    total = sum(map(time, operations))
    for operation in operations[:OPERATIONS]:
        yield f"| {operation.key} | {time(operation) / total:.0%} | {operation.count} |"
