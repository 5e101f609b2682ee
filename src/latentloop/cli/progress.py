"""Progress of the long jobs: bars on stderr, and a line on stdout for each result."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from torch import Tensor

from latentloop.benchmark.comparison import Result, Skipped
from latentloop.benchmark.methods import PreparedMethod
from latentloop.cli.complaints import complain
from latentloop.cli.console import progress_bars, say
from latentloop.embedding.job import Failed, Outcome


class EmbedProgress:
    """Two bars while embedding: photos done, and the steps of the current ones with their loss."""

    def __init__(self, photos: int, steps: int) -> None:
        self._progress = progress_bars()
        self._photos = self._progress.add_task("photos", total=photos)
        self._steps = self._progress.add_task("steps", total=steps, visible=steps > 0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def step(self, done: int, loss: Tensor) -> None:
        """Show a step of the iterator and the best loss of each image, (N,)."""
        if done == 0:
            self._progress.reset(self._steps)
        self._progress.update(self._steps, completed=done, description=f"steps, loss {loss.mean().item():.4f}")

    def done(self, outcome: Outcome, photos_done: int) -> None:
        """Say what became of a photo, on stdout, or on stderr if it failed."""
        self._progress.update(self._photos, completed=photos_done)
        if isinstance(outcome, Failed):
            complain(outcome.error)
            return
        figures, name = outcome.figures.metrics, outcome.name
        if first := outcome.one_pass:
            name += f": LPIPS {first.metrics['lpips_alex']:.3f} in one pass, {first.seconds:.1f} s; then"
        say(
            f"{name}: MSE {figures['mse']:.4f}  PSNR {figures['psnr']:.2f}  SSIM {figures['ssim']:.3f}  "
            f"LPIPS {figures['lpips_alex']:.3f}  ID {figures['id']:.3f}  "
            + ("finished before" if outcome.skipped else f"{outcome.figures.seconds:.1f} s")
        )


class BenchProgress:
    """One bar while comparing methods: the steps of all methods on all images, with the current one's loss."""

    def __init__(self) -> None:
        self._work: dict[str, int] = {}
        self._progress, self._done = progress_bars(), 0
        self._task = self._progress.add_task("steps", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def begin(self, methods: Sequence[PreparedMethod], images: int) -> None:
        """Learn how many steps there are in all."""
        self._work = {method.name: method.steps + 1 for method in methods}
        self._progress.update(self._task, total=images * sum(self._work.values()))

    def step(self, method: PreparedMethod, done: int, loss: Tensor) -> None:
        """Show a step of a method, and the mean of the images' losses, (N,)."""
        description = f"{method.name}, loss {loss.mean().item():.4f}"
        self._progress.update(self._task, completed=self._done + done, description=description)

    def finish(self, outcome: Result | Skipped) -> None:
        """Print a method's metrics of an image on stdout, or on stderr why there are none."""
        if isinstance(outcome, Skipped):
            complain(outcome.error)
            return
        self._done += self._work[outcome.method]
        self._progress.update(self._task, completed=self._done)
        figures = "  ".join(f"{name} {value:.4g}" for name, value in outcome.figures.items())
        say(f"{outcome.method}: {outcome.image}: {figures}  {outcome.seconds:.3g} s")

    def note(self, line: str) -> None:
        """Print a line on stderr."""
        complain(line)

    def written(self, file: Path) -> None:
        """Print the path of a file of the comparison."""
        say(file)


class TrainProgress:
    """One bar while training, with the loss, what the iterator gains, how many codes were known, and the speed."""

    def __init__(self, steps: int, done: int, batch: int) -> None:
        self._progress, self._batch, self._begun = progress_bars(), batch, time.perf_counter()
        self._task = self._progress.add_task("steps", total=steps, completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def step(self, metrics: Mapping[str, float]) -> None:
        """Show the metrics of a step: its number and its loss, and of a collaboration what the iterator gained."""
        seconds, self._begun = time.perf_counter() - self._begun, time.perf_counter()
        parts = [f"loss {metrics['loss']:.4f}"]
        if "gain" in metrics:
            parts += [f"iterator gains {metrics['gain']:.4f}", f"codes known {metrics['known']:.0%}"]
        parts += [f"{self._batch / seconds:.2f} images/s"]
        self._progress.update(self._task, completed=int(metrics["step"]), description=", ".join(parts))
