"""`latentloop bench`."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from latentloop.defaults import GENERATOR, QUICK_GENERATOR, Precision


@dataclass(frozen=True)
class Bench:
    """Measure speed on this machine, beside what it can do at best.

    generator: milliseconds an image, forward at full size and with the gradient of the code at the iterator's size, as
    a share of the rate at which a large convolution runs; then a step of the iterator, and what of it is not the
    generator's.

    Leave the machine alone meanwhile: latentloop bench generator
    """

    what: Annotated[Literal["generator"], tyro.conf.Positional]
    """What to measure."""
    generators: tuple[str, ...] = (QUICK_GENERATOR, GENERATOR)
    """Generators we ship, or files that latentloop wrote."""
    batches: tuple[int, ...] = (1, 8)
    """Images at a time."""
    compile: bool = False
    """Measure through torch.compile, too: takes a minute for each row."""
    precision: Precision = "float32"
    """Of drawing, and of the convolution; auto is what embed takes."""
    runs: int = 10
    """Runs of each, of which the median counts."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps ..."""

    def __post_init__(self) -> None:
        if not self.generators:
            raise ValueError("name at least one generator")
        if self.runs < 1 or not self.batches or min(self.batches) < 1:
            raise ValueError("runs and batches must be 1 or more")

    def run(self) -> int:
        """Print the tables."""
        import torch

        from latentloop.cli.console import say
        from latentloop.devices import find_device, find_precision, repeatable_arithmetic
        from latentloop.evaluation.speed import reference_speed
        from latentloop.generators import load_generator, low_precision
        from latentloop.losses import iterator_loss
        from latentloop.pipeline.bench import GeneratorBench, iterator_times
        from latentloop.pipeline.results import describe

        repeatable_arithmetic()
        device = find_device(self.device)
        dtype = find_precision(self.precision, device)
        generators = [low_precision(load_generator(name, device=device), dtype) for name in self.generators]
        say(f"torch {torch.__version__}, {describe(device)}, {str(dtype).removeprefix('torch.')}")
        reference = reference_speed(device, dtype, runs=self.runs)
        for line in GeneratorBench(generators, reference, self.batches, self.runs, self.compile).table():
            say(line)
        loss = iterator_loss(device=device, dtype=dtype)
        for generator in generators:
            step, rest = iterator_times(generator, loss, runs=self.runs)
            say(f"\nA step of the iterator on {generator.name}: {1000 * step:.0f} ms, {rest:.0%} outside the generator")
        return 0
