"""Progress on stderr, results on stdout."""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import rich.progress
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from latentloop.benchmark.comparison import Result, Skipped
from latentloop.benchmark.methods import PreparedMethod
from latentloop.cli.complaints import with_options
from latentloop.embedding.job import Embedded, Outcome

T = TypeVar("T")


def track(items: Iterable[T], total: int, description: str, *, completed: int = 0) -> Iterable[T]:
    """Show how many of the items have come, beside those completed before."""
    # Lines printed meanwhile go above the bar, unless stdout is a pipe: then they must go there.
    with _progress() as progress:
        yield from progress.track(items, total=total, description=description, completed=completed)


class EmbedProgress:
    """Two bars while embedding: photos done, and the steps of the current ones with their loss."""

    def __init__(self, photos: int, steps: int) -> None:
        self._progress = _progress()
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
        if not isinstance(outcome, Embedded):
            say(f"latentloop: {outcome.reason}", error=True)
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
        self._progress, self._done = _progress(), 0
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
            self.note(with_options(outcome.error))
            return
        self._done += self._work[outcome.method]
        self._progress.update(self._task, completed=self._done)
        figures = "  ".join(f"{name} {value:.4g}" for name, value in outcome.figures.items())
        say(f"{outcome.method}: {outcome.image}: {figures}  {outcome.seconds:.3g} s")

    def note(self, line: str) -> None:
        """Print a line on stderr."""
        say(f"latentloop: {line}", error=True)

    def written(self, file: Path) -> None:
        """Print the path of a file of the comparison."""
        say(file)


class TrainProgress:
    """One bar while training, with the loss, what the iterator gains, how many codes were known, and the speed."""

    def __init__(self, steps: int, done: int, batch: int) -> None:
        self._progress, self._batch, self._begun = _progress(), batch, time.perf_counter()
        self._task = self._progress.add_task("steps", total=steps, completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def step(self, told: Mapping[str, float]) -> None:
        """Show what a step said of itself."""
        seconds, self._begun = time.perf_counter() - self._begun, time.perf_counter()
        said = [f"loss {told['loss']:.4f}"]
        if "gain" in told:
            said += [f"iterator gains {told['gain']:.4f}", f"codes known {told['known']:.0%}"]
        said += [f"{self._batch / seconds:.2f} images/s"]
        self._progress.update(self._task, completed=int(told["step"]), description=", ".join(said))


class StageProgress:
    """A bar for each stage of some work, or for each file of a download: in frames, bytes or what it counts."""

    def __init__(self, *, in_bytes: bool = False) -> None:
        self._progress = _progress(DownloadColumn(binary_units=True) if in_bytes else None)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def show(self, name: str, done: int, total: int) -> None:
        """Show how far a stage or a file is."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done)


def say(line: object, *, error: bool = False) -> None:
    """Print a line at once."""
    print(line, file=sys.stderr if error else sys.stdout, flush=True)


def _progress(count: ProgressColumn | None = None) -> rich.progress.Progress:
    console = Console(stderr=True)
    console.quiet = not console.is_interactive  # else it ends with an empty line where nobody sees bars
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        count or MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )
