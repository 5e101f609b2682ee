"""Progress of `latentloop bulk`: a bar on stderr with the photos per second, and the first errors."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from latentloop.cli.console import progress_bars, say

if TYPE_CHECKING:
    from latentloop.bulk.run import Progress

STARTING = "starting the workers"
"""Description of the bar until the first photo is done."""


class BulkProgress:
    """Progress bar that counts photos; the first errors are printed, the others are found in the records."""

    def __init__(self, photos: int) -> None:
        self._progress = progress_bars()
        self._bar = self._progress.add_task(STARTING, total=photos)
        self._told, self._begun = 0, time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def show(self, now: "Progress") -> None:
        """Update the bar and print errors that are new."""
        if not now.photos:
            self._begun = time.monotonic()  # the start of the workers does not count into their speed
            return
        rate = now.photos / max(time.monotonic() - self._begun, 0.1)
        errors = f", {counted(now.errors, 'error')}" if now.errors else ""
        self._progress.update(self._bar, completed=now.photos, description=f"photos, {rate:.1f} a second{errors}")
        for problem in now.problems[self._told :]:
            say(problem, error=True)
        if self._told < len(now.problems) < now.errors:
            say("and further errors; see the records", error=True)
        self._told = len(now.problems)


def counted(number: int, what: str) -> str:
    """Format a count with its noun, such as "1 photo" or "2,000 photos"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
