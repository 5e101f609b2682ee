"""Console output: progress bars on stderr, results on stdout."""

import sys
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from latentloop.errors import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

T = TypeVar("T")


def track(items: Iterable[T], total: int, description: str, *, completed: int = 0) -> Iterable[T]:
    """Yield the items while a bar shows how many have come.

    Args:
        items: Work to count, one by one.
        total: Expected number of items, with those completed before.
        description: Text beside the bar.
        completed: Items that an earlier run completed.
    """
    with progress_bars() as progress:
        yield from progress.track(items, total=total, description=description, completed=completed)


class StageProgress:
    """One progress bar per stage of a job, or per file of a download."""

    def __init__(self, *, in_bytes: bool = False) -> None:
        self._progress = progress_bars(in_bytes=in_bytes)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def show(self, name: str, done: int, total: int) -> None:
        """Update the bar of a stage or a file.

        Args:
            name: Stage or file; a new name adds a bar.
            done: Units done, such as frames or bytes.
            total: Units in all.
        """
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done)


def say(line: object, *, error: bool = False) -> None:
    """Print a line immediately: on stderr if it is an error, on stdout otherwise."""
    print(printable(str(line), kept="\n\t"), file=sys.stderr if error else sys.stdout, flush=True)


def progress_bars(*, in_bytes: bool = False) -> "Progress":
    """Create progress bars on stderr that vanish when the work is done."""
    from rich import console, progress  # imported late: takes a tenth of a second

    terminal = console.Console(stderr=True)
    terminal.quiet = not terminal.is_interactive  # otherwise rich leaves an empty line in a log file
    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(binary_units=True) if in_bytes else progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        console=terminal,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # in a terminal lines appear above the bar; a pipe gets them unchanged
    )
