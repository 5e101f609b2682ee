"""Who is told how photo editing goes: a command line, a page, a test, or nobody."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from latentloop.embedding import EmbedRun, Outcome
from latentloop.errors import UserError

Progress = Callable[[str, int, int], None]
"""Is told of a stage, the frames that are done in it, and all its frames."""
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
    """Who is told how the work goes; by default nobody."""

    complain: Callable[[UserError], None] = lambda _: None
    """Is told why a picture cannot be used, while the others go on."""
    warn: Callable[[str], None] = lambda _: None
    """Is told what may make a result worse than expected."""
    watch: Callable[[EmbedRun], AbstractContextManager[Watcher]] = lambda _: nullcontext(Silence())
    """Shows the progress of finding codes."""
    result: Callable[[Path], None] = lambda _: None
    """Is told of each file that was written."""
    track: Track = lambda frames, _total, _description: frames
    """Shows how many frames of an animation are drawn."""
    stages: Callable[[], AbstractContextManager[Progress]] = lambda: nullcontext(lambda _name, _done, _total: None)
    """Shows how far each stage of editing a video is."""
