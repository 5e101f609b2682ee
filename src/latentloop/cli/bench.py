"""The command `latentloop bench`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Literal

import tyro

from latentloop.benchmark.options import NO_ROOT, ComparisonOptions, SpeedOptions
from latentloop.cli.console import say
from latentloop.cli.inputs import refuse_missing
from latentloop.errors import UserError

Quantity = Literal["methods", "generator", "collaboration", "training"]
TAKEN: Mapping[Quantity, Sequence[str]] = {
    "methods": [field.name for field in fields(ComparisonOptions)],
    "generator": ("machine", "generators", "batches", "runs", "compile", "engines"),
    "collaboration": ("machine", "generators", "batches", "runs"),
    "training": ("machine", "generators", "batches", "runs", "compile"),
}
"""Options that each measurement takes."""


@dataclass(frozen=True)
class Bench:
    """Compare methods of inversion, or measure the speed of this machine.

    methods: the distance of each method's reconstructions from the photos, and its time. Writes results.csv, table.md,
    pareto.png, grid.png and report.html into --out. A stopped run continues when it is started again.

    generator: milliseconds per image, forward at full size and with the codes' gradient at the iterator's size, also
    as a share of the rate of a large convolution; then a step of the iterator, and its share outside the generator.

    collaboration: a training step of the embedding network, beside the generator passes that its iterator needs, with
    peak memory and a profile.

    training: images per second when an embedding network is trained on photos, and where the time goes.

    editability: how well the codes of photos edit after different numbers of steps; it has its own options, see
    latentloop bench editability --help

    On the sample photos: latentloop bench --root examples/photos --methods one-pass hybrid image2stylegan:100

    As in the papers: latentloop bench --data celeba-hq --root CelebA-HQ --protocol psp --features vgg16

    Speed, on an otherwise idle machine: latentloop bench generator

    PyTorch beside other runtimes: latentloop bench generator --engines onnx openvino

    As in a training run: latentloop bench collaboration --precision auto --batches 4

    As a GPU trains: latentloop bench training --generators mobile-ffhq-256 --precision bfloat16 --batches 64 256
    """

    what: Annotated[Quantity, tyro.conf.Positional] = "methods"
    """Quantity to measure."""
    comparison: ComparisonOptions = ComparisonOptions()
    speed: SpeedOptions = SpeedOptions()

    def run(self) -> int:
        """Run the comparison or the measurement; returns 2 if an image or a method was left out."""
        self._refuse_ignored()
        compared = self.comparison
        if self.what == "methods":
            if compared.root is None:
                raise UserError(NO_ROOT, arguments="root")
            refuse_missing(
                each=[compared.root, *compared.beside], generators=[compared.generator], embedders=[compared.embedder]
            )
        else:
            refuse_missing(generators=self.speed.generators)
        from latentloop.benchmark import run_benchmark, time_collaboration, time_generators, time_training
        from latentloop.cli.bench_progress import BenchProgress

        if self.what == "methods":
            with BenchProgress() as progress:
                comparison = run_benchmark(options=self.comparison, observer=progress)
            return 2 if comparison.left_out else 0
        measures = {"generator": time_generators, "collaboration": time_collaboration, "training": time_training}
        for line in measures[self.what](self.speed, self.comparison.machine):
            say(line)
        return 0

    def _refuse_ignored(self) -> None:
        """Refuse options that are given and do not apply."""
        ignored = [
            field.name
            for options in (self.comparison, self.speed)
            for field in fields(options)
            if field.name not in TAKEN[self.what] and getattr(options, field.name) != field.default
        ]
        if ignored:
            raise UserError(f"an option does not apply to bench {self.what}", arguments=ignored)
