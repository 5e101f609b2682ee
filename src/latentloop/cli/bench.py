"""`latentloop bench`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from latentloop.cli.bench_methods import MethodBench
from latentloop.defaults import GENERATOR, QUICK_GENERATOR, Precision

if TYPE_CHECKING:
    import torch

    from latentloop.generators import Generator


@dataclass(frozen=True)
class Bench:
    """Compare methods of inversion, or measure speed on this machine beside what it can do at best.

    methods: how close each method comes to photos, and how long it takes: results.csv, table.md, pareto.png, grid.png
    and report.html in --out. Stop it, and run it again to go on.

    generator: milliseconds an image, forward at full size and with the gradient of the code at the iterator's size, as
    a share of the rate at which a large convolution runs; then a step of the iterator, and what of it is not the
    generator's.

    collaboration: a step of training the embedding network, beside the steps of its iterator, with the memory it takes
    and where its time goes.

    On what is at hand: latentloop bench --root examples/photos --methods one-pass hybrid image2stylegan:100

    As the papers do: latentloop bench --data celeba-hq --root CelebA-HQ --protocol psp --features vgg16

    Leave the machine alone meanwhile: latentloop bench generator

    As a training does it: latentloop bench collaboration --precision auto --batches 4
    """

    what: Annotated[Literal["methods", "generator", "collaboration"], tyro.conf.Positional] = "methods"
    """What to measure."""
    compared: MethodBench = MethodBench()
    generators: tuple[str, ...] = (QUICK_GENERATOR, GENERATOR)
    """Generators we ship, or files that latentloop convert reads."""
    batches: tuple[int, ...] = (1, 8)
    """Images at a time."""
    compile: bool = False
    """Measure through torch.compile, too: takes a minute for each row."""
    precision: Precision = "auto"
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
        """Print the tables, or compare the methods."""
        import torch

        from latentloop.cli.console import say
        from latentloop.devices import describe_device, find_device, find_precision, repeatable_arithmetic
        from latentloop.generators import load_generator

        repeatable_arithmetic()
        device = find_device(self.device)
        if self.what == "methods":
            return self.compared.run(device, self.precision)
        dtype = find_precision(self.precision, device)
        generators = [load_generator(name, device=device) for name in self.generators]
        say(f"torch {torch.__version__}, {describe_device(device)}, {str(dtype).removeprefix('torch.')}")
        for line in self._generator(generators, dtype) if self.what == "generator" else self._step(generators, dtype):
            say(line)
        return 0

    def _generator(self, loaded: Sequence["Generator"], dtype: "torch.dtype") -> Iterator[str]:
        from latentloop.benchmark.generator_speed import GeneratorBench, iterator_times
        from latentloop.benchmark.speed import reference_speed
        from latentloop.generators import low_precision
        from latentloop.losses import iterator_loss

        device = loaded[0].device
        generators = [low_precision(generator, dtype) for generator in loaded]
        reference = reference_speed(device, dtype, runs=self.runs)
        yield from GeneratorBench(generators, reference, self.batches, self.runs, self.compile).table()
        loss = iterator_loss(device=device, dtype=dtype)
        for generator in generators:
            step, rest = iterator_times(generator, loss, runs=self.runs)
            step_ms = f"{1000 * step:.0f} ms"
            yield f"\nA step of the iterator on {generator.name}: {step_ms}, {rest:.0%} outside the generator"

    def _step(self, generators: Sequence["Generator"], dtype: "torch.dtype") -> Iterator[str]:
        from latentloop.benchmark.collaboration_speed import CollaborationBench

        for generator in generators:
            with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                yield from CollaborationBench(generator, dtype, self.batches, self.runs, Path(folder)).table()
