"""Speed of generators, and of a step of the iterator."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import NoReturn

import torch

from latentloop.benchmark.engines import check_engines, engine_drawing, graph_of
from latentloop.benchmark.options import Engine, MachineOptions, SpeedOptions
from latentloop.benchmark.speed import (
    Speed,
    count_flop,
    describe_machine,
    drawing,
    drawing_with_gradient,
    median_time,
    reference_speed,
)
from latentloop.defaults import WORKING_SIZE
from latentloop.devices import find_device, find_precision, repeatable_arithmetic
from latentloop.errors import UserError
from latentloop.generators import Generator, compiled, load_generator, low_precision
from latentloop.inversion import IteratorConfig, LatentIterator
from latentloop.latents import mean_code
from latentloop.losses import LossToward, iterator_loss
from latentloop.weights import ReadOnce

HEADER = "| generator | drawn at | batch | how | pass | ms an image | GFLOP/s | of the convolution's rate | times it |"


def time_generators(options: SpeedOptions | None = None, machine: MachineOptions | None = None) -> Iterator[str]:
    """Time generators and a step of the iterator on each; yields lines of Markdown, each once it is measured.

    Raises:
        UserError: A generator or the device does not exist, or torch.compile does not work here.
    """
    options, machine = options or SpeedOptions(), machine or MachineOptions()
    repeatable_arithmetic()
    device = find_device(machine.device)
    dtype = find_precision(machine.precision, device)
    check_engines(options.engines, device, dtype)
    with ReadOnce():
        generators = [low_precision(load_generator(name, device=device), dtype) for name in options.generators]
    yield describe_machine(device, dtype)
    reference = reference_speed(device, dtype, runs=options.runs)
    bench = GeneratorBench(generators, reference, options.batches, options.runs, options.compile, options.engines)
    yield from bench.table()
    loss = iterator_loss(device=device, dtype=dtype)
    for generator in generators:
        step, rest = iterator_times(generator, loss, runs=options.runs)
        step_ms = f"{1000 * step:.0f} ms"
        yield f"\nA step of the iterator on {generator.name}: {step_ms}, {rest:.0%} outside the generator"


@dataclass(frozen=True)
class GeneratorBench:
    """Times generators, forward at full size and with the codes' gradient at the iterator's size."""

    generators: Sequence[Generator]
    reference: Speed
    """Speed of the convolution to compare with."""
    batches: Sequence[int]
    """Batch sizes to time."""
    runs: int
    """Runs of each measurement; the median is reported."""
    also_compiled: bool
    """True also times them through torch.compile."""
    engines: Sequence[Engine] = ()
    """Other runtimes to draw with, forward only."""

    def table(self) -> Iterator[str]:
        """Yield the lines of a Markdown table, each once it is measured."""
        ms, gflops = _ms(self.reference), _gflops(self.reference)
        yield f"The convolution, 3x3 on 256 channels of 128x128: {ms} ms, {gflops} GFLOP/s."
        yield ""
        yield HEADER
        yield "|---" * (HEADER.count("|") - 1) + "|"
        for generator in self.generators:
            graph = graph_of(generator) if self.engines else b""
            for batch in self.batches:
                yield from self._rows(generator, batch, graph)

    def _rows(self, generator: Generator, batch: int, graph: bytes) -> Iterator[str]:
        size, small = generator.resolution, min(WORKING_SIZE, generator.resolution)
        passes: list[tuple[str, int, Callable[..., Callable[[], None]]]] = [
            ("forward", size, drawing),
            ("forward and backward", small, drawing_with_gradient),
        ]
        for name, resolution, work in passes:
            eager = work(generator, batch=batch, resolution=resolution)
            flop = count_flop(eager) / batch
            hows = {"eager": eager}
            if self.also_compiled:
                hows["compiled"] = work(_compiled(generator), batch=batch, resolution=resolution)
            if work is drawing:
                hows |= {one: engine_drawing(one, graph, generator, batch=batch) for one in self.engines}
            for how, draw in hows.items():
                speed = Speed(median_time(draw, runs=self.runs) / batch, flop)
                share, times = speed.rate / self.reference.rate, speed.seconds / self.reference.seconds
                yield (
                    f"| {generator.name} | {resolution} | {batch} | {how} | {name} | {_ms(speed)} | {_gflops(speed)} "
                    f"| {share:.0%} | {times:.2f} |"
                )


def iterator_times(generator: Generator, loss: LossToward, *, runs: int) -> tuple[float, float]:
    """Time a step of the iterator on one image at 256 pixels: median seconds, and the share outside the generator."""
    resolution = min(WORKING_SIZE, generator.resolution)
    start = mean_code(generator)
    times: list[float] = []
    iterator = LatentIterator(generator, loss, IteratorConfig(steps=runs + 1))
    iterator.refine(start.new_zeros(1, 3, resolution, resolution), start, lambda *_: times.append(perf_counter()))
    # A step is reported before its gradient, so one whole step lies between two reports; the first one warms up.
    step = median(after - before for before, after in pairwise(times[1:]))
    drawn = median_time(drawing_with_gradient(generator, batch=1, resolution=resolution), runs=runs)
    return step, 1 - drawn / step


def _compiled(generator: Generator) -> Generator:
    torch.compiler.reset()  # otherwise PyTorch stops recompiling after a few shapes
    return compiled(generator, _fail, always=True)


def _fail(reason: str) -> NoReturn:
    raise UserError(f"cannot compile: {reason}")


def _ms(speed: Speed) -> str:
    return f"{1000 * speed.seconds:.0f}"


def _gflops(speed: Speed) -> str:
    return f"{speed.rate / 1e9:.0f}"
