"""Progress reports of a benchmark."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from torch import Tensor

from latentloop.benchmark.comparison import Outcome
from latentloop.benchmark.methods import PreparedMethod


class Observer(Protocol):
    """Interface that follows a running benchmark; the command line shows a progress bar."""

    def begin(self, methods: Sequence[PreparedMethod], images: int) -> None:
        """Receive all methods and the number of images, before the first image."""
        ...

    def step(self, method: PreparedMethod, done: int, loss: Tensor) -> None:
        """Receive the steps done and each image's loss, (N,), at the start of a method and after each step."""
        ...

    def finish(self, outcome: Outcome) -> None:
        """Receive a method's outcome on an image, once it is on disk."""
        ...

    def note(self, line: str) -> None:
        """Receive a note that users should read, such as which images are missing."""
        ...

    def written(self, file: Path) -> None:
        """Receive the path of each file of the comparison, at the end."""
        ...


class Silent:
    """Observer that ignores everything."""

    def begin(self, methods: Sequence[PreparedMethod], images: int) -> None:
        """Ignore the start of the run."""

    def step(self, method: PreparedMethod, done: int, loss: Tensor) -> None:
        """Ignore a step of a method."""

    def finish(self, outcome: Outcome) -> None:
        """Ignore the outcome of a method on an image."""

    def note(self, line: str) -> None:
        """Ignore a note for users."""

    def written(self, file: Path) -> None:
        """Ignore a file that was written."""
