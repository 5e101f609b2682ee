"""Progress on stderr, results on stdout."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
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

from latentloop.benchmark.comparison import Result
from latentloop.benchmark.methods import Entry
from latentloop.benchmark.run import Skipped
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
    """A bar while comparing methods: of all steps that all methods take on all images, with the current one's loss."""

    def __init__(self, entries: Sequence[Entry], images: int) -> None:
        self._work = {entry.name: entry.steps + 1 for entry in entries}
        self._progress, self._done = _progress(), 0
        self._task = self._progress.add_task("steps", total=images * sum(self._work.values()))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def step_of(self, entry: Entry) -> Callable[[int, Tensor], None]:
        """What shows a step of a method, and the loss of each image, (N,)."""

        def step(done: int, loss: Tensor) -> None:
            said = f"{entry.name}, loss {loss.mean().item():.4f}"
            self._progress.update(self._task, completed=self._done + done, description=said)

        return step

    def done(self, outcome: Result | Skipped) -> None:
        """Say what a method made of an image, on stdout, or on stderr if nothing."""
        if isinstance(outcome, Skipped):
            say(f"latentloop: {outcome.reason}", error=True)
            return
        self._done += self._work[outcome.method]
        self._progress.update(self._task, completed=self._done)
        figures = "  ".join(f"{name} {value:.4g}" for name, value in outcome.figures.items())
        say(f"{outcome.method}: {outcome.image}: {figures}  {outcome.seconds:.3g} s")


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

    def step(self, metrics: Mapping[str, float]) -> None:
        """Show the metrics of a step."""
        seconds, self._begun = time.perf_counter() - self._begun, time.perf_counter()
        shown = [f"loss {metrics['loss']:.4f}"]
        if "gain" in metrics:
            shown += [f"iterator gains {metrics['gain']:.4f}", f"codes known {metrics['known']:.0%}"]
        shown += [f"{self._batch / seconds:.2f} images/s"]
        self._progress.update(self._task, completed=int(metrics["step"]), description=", ".join(shown))


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
