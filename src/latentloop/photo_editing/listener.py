"""Callbacks for the progress of photo editing, for a command line, a page or a test."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from latentloop.embedding import EmbedRun, Outcome
from latentloop.errors import UserError

Progress = Callable[[str, int, int], None]
"""Called with a stage, its number of finished frames, and the number of all frames."""
Track = Callable[[Iterable[Tensor], int, str], Iterable[Tensor]]
"""Yields frames while it shows, under a description, how many of a total have come."""


class Watcher(Protocol):
    """Interface that shows the progress of a run; see `latentloop.cli.embed_progress.EmbedProgress`."""

    def step(self, done: int, loss: Tensor) -> None:
        """Show a step of the iterator."""
        ...

    def done(self, outcome: Outcome, photos_done: int) -> None:
        """Show the outcome of a photo."""
        ...


class Silence:
    """A `Watcher` that shows nothing."""

    def step(self, done: int, loss: Tensor) -> None:
        """Ignore a step of the iterator."""

    def done(self, outcome: Outcome, photos_done: int) -> None:
        """Ignore the outcome of a photo."""


@dataclass(frozen=True)
class Listener:
    """Callbacks for the progress of photo editing; the defaults show nothing."""

    complain: Callable[[UserError], None] = lambda _: None
    """Called with the error of a picture that cannot be used; the others continue."""
    warn: Callable[[UserError | str], None] = lambda _: None
    """Called with a warning, such as that a code is rough."""
    watch: Callable[[EmbedRun], AbstractContextManager[Watcher]] = lambda _: nullcontext(Silence())
    """Shows the progress of finding codes."""
    result: Callable[[Path], None] = lambda _: None
    """Called with the path of each written file."""
    track: Track = lambda frames, _total, _description: frames
    """Shows how many frames of an animation are drawn."""
    stages: Callable[[], AbstractContextManager[Progress]] = lambda: nullcontext(lambda _name, _done, _total: None)
    """Shows the progress of each stage of editing a video."""
