"""Progress on stderr, results on stdout."""

import sys
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from latentloop.errors import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

T = TypeVar("T")


def track(items: Iterable[T], total: int, description: str, *, completed: int = 0) -> Iterable[T]:
    """Yield the items, and show how many have come, beside those completed before."""
    with progress_bars() as progress:
        yield from progress.track(items, total=total, description=description, completed=completed)


class StageProgress:
    """A bar for each stage of some work, or for each file of a download: in frames, bytes or what it counts."""

    def __init__(self, *, in_bytes: bool = False) -> None:
        self._progress = progress_bars(in_bytes=in_bytes)
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
    """Print a line, on stdout unless it tells of an error, and do not wait for more to print."""
    print(printable(str(line), kept="\n\t"), file=sys.stderr if error else sys.stdout, flush=True)


def progress_bars(*, in_bytes: bool = False) -> "Progress":
    """Make bars with a count, on stderr, that vanish when the work is done."""
    from rich import console, progress  # a tenth of a second that what fails at once need not take

    terminal = console.Console(stderr=True)
    terminal.quiet = not terminal.is_interactive  # else it ends with an empty line where nobody sees bars
    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(binary_units=True) if in_bytes else progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        console=terminal,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # lines go above the bar, but into a pipe where stdout is one
    )
