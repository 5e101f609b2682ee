"""Progress reports of a benchmark."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from torch import Tensor

from latentloop.benchmark.comparison import Outcome
from latentloop.benchmark.methods import PreparedMethod


class Observer(Protocol):
    """Follows a benchmark while it runs; the command line shows a bar."""

    def begin(self, methods: Sequence[PreparedMethod], images: int) -> None:
        """Called before the first image, with all methods and the number of images."""
        ...

    def step(self, method: PreparedMethod, done: int, loss: Tensor) -> None:
        """Called at the start of a method and after each step, with the steps done and each image's loss, (N,)."""
        ...

    def finish(self, outcome: Outcome) -> None:
        """Called once a method's result on an image is on disk, or had to be left out."""
        ...

    def note(self, line: str) -> None:
        """Called with a line that a user should read, such as which images are missing."""
        ...

    def written(self, file: Path) -> None:
        """Called for each file of the comparison, at the end."""
        ...


class Silent:
    """An observer that ignores everything."""

    def begin(self, methods: Sequence[PreparedMethod], images: int) -> None:
        """Ignore the start of the run."""

    def step(self, method: PreparedMethod, done: int, loss: Tensor) -> None:
        """Ignore a step of a method."""

    def finish(self, outcome: Outcome) -> None:
        """Ignore the outcome of a method on an image."""

    def note(self, line: str) -> None:
        """Ignore a note about the work."""

    def written(self, file: Path) -> None:
        """Ignore a file that was written."""
