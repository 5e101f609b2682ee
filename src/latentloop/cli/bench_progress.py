"""Progress of a benchmark: a bar on stderr and one line on stdout per result."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from torch import Tensor

from latentloop.benchmark.comparison import Result, Skipped
from latentloop.benchmark.methods import PreparedMethod
from latentloop.cli.complaints import complain
from latentloop.cli.console import progress_bars, say


class BenchProgress:
    """Progress bar over the steps of all methods on all images, with the current loss."""

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
        """Set the length of the bar: each image costs each method its steps and one for the start."""
        self._work = {method.name: method.steps + 1 for method in methods}
        self._progress.update(self._task, total=images * sum(self._work.values()))

    def step(self, method: PreparedMethod, done: int, loss: Tensor) -> None:
        """Show one step of a method, with the mean of the images' losses, (N,)."""
        description = f"{method.name}, loss {loss.mean().item():.4f}"
        self._progress.update(self._task, completed=self._done + done, description=description)

    def finish(self, outcome: Result | Skipped) -> None:
        """Print the metrics of one image on stdout, or the reason for their absence on stderr."""
        if isinstance(outcome, Skipped):
            complain(outcome.error)
            return
        self._done += self._work[outcome.method]
        self._progress.update(self._task, completed=self._done)
        figures = "  ".join(f"{name} {value:.4g}" for name, value in outcome.figures.items())
        say(f"{outcome.method}: {outcome.image}: {figures}  {outcome.seconds:.3g} s")

    def note(self, line: str) -> None:
        """Print a note on stderr, above the bar."""
        complain(line)

    def written(self, file: Path) -> None:
        """Print the path of a file that the comparison wrote."""
        say(file)
