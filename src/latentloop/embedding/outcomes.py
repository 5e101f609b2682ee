"""Outcomes of a run: what became of each photo."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from latentloop.embedding.inverter import Figures
from latentloop.errors import UserError

TOO_LARGE = UserError("not enough memory to read it and find faces; take a smaller photo")
"""Error of a photo that memory does not hold."""


@dataclass(frozen=True)
class Embedded:
    """Outcome of a face whose code is in the folder."""

    photo: Path
    name: str
    """Name of the result; its code is NAME.npz."""
    figures: Figures
    one_pass: Figures | None
    """Metrics of the one-pass reconstruction, if the iterator started from it."""
    steps: int
    """Number of steps that the iterator took."""
    skipped: bool
    """True if an earlier run had finished the result."""
    refine_steps: int = 0
    """Number of refinement steps beyond the code."""
    pictures: bool = True
    """True if its pictures are in the folder, too."""

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of the reconstruction by name: mse, psnr, ssim, lpips_alex, id."""
        return dict(self.figures.metrics)


@dataclass(frozen=True)
class Failed:
    """Outcome of a photo that could not be embedded."""

    photo: Path
    error: UserError
    """Error whose message begins with the photo's path."""

    @classmethod
    def of(cls, photo: Path, error: UserError | OSError) -> Self:
        """Make the outcome of an error, whose message need not name the photo yet."""
        problem = error if isinstance(error, UserError) else UserError(str(error))
        return cls(photo, problem if str(photo) in str(error) else problem.within(photo))

    @property
    def reason(self) -> str:
        """Error message on one line."""
        return str(self.error)


Outcome = Embedded | Failed


def successes(outcomes: Iterable[Outcome], on_failure: Callable[[Failed], None]) -> Iterator[Embedded]:
    """Yield the embedded faces, and pass failures to `on_failure`."""
    for outcome in outcomes:
        if isinstance(outcome, Embedded):
            yield outcome
        else:
            on_failure(outcome)


def once(call: Callable[[str], None]) -> Callable[[str], None]:
    """Wrap a function so that only its first call has an effect."""
    calls: list[str] = []

    def first(text: str) -> None:
        if not calls:
            call(text)
        calls.append(text)

    return first
