"""Listeners to the progress of photo editing: a command line, a page, a test, or nobody."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from latentloop.embedding import EmbedRun, Outcome
from latentloop.errors import UserError

Progress = Callable[[str, int, int], None]
"""Called with a stage, the frames that are done in it, and the number of all frames."""
Track = Callable[[Iterable[Tensor], int, str], Iterable[Tensor]]
"""Passes frames on while it shows how many of a total have come, under a description."""


class Watcher(Protocol):
    """Shows how far a run is; see `latentloop.cli.embed_progress.EmbedProgress`."""

    def step(self, done: int, loss: Tensor) -> None:
        """Show a step of the iterator."""
        ...

    def done(self, outcome: Outcome, photos_done: int) -> None:
        """Show what became of a photo."""
        ...


class Silence:
    """A `Watcher` that shows nothing."""

    def step(self, done: int, loss: Tensor) -> None:
        """Show nothing."""

    def done(self, outcome: Outcome, photos_done: int) -> None:
        """Show nothing."""


@dataclass(frozen=True)
class Listener:
    """Callbacks for the progress of photo editing; by default nothing is shown."""

    complain: Callable[[UserError], None] = lambda _: None
    """Called with the reason why a picture cannot be used, while the others go on."""
    warn: Callable[[UserError | str], None] = lambda _: None
    """Called with a warning, such as that a code is rough."""
    watch: Callable[[EmbedRun], AbstractContextManager[Watcher]] = lambda _: nullcontext(Silence())
    """Shows the progress of finding codes."""
    result: Callable[[Path], None] = lambda _: None
    """Called with each file that was written."""
    track: Track = lambda frames, _total, _description: frames
    """Shows how many frames of an animation are drawn."""
    stages: Callable[[], AbstractContextManager[Progress]] = lambda: nullcontext(lambda _name, _done, _total: None)
    """Shows how far each stage of editing a video is."""
