"""What became of each photo of a run."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from latentloop.embedding.inverter import Figures
from latentloop.errors import UserError


@dataclass(frozen=True)
class Embedded:
    """A photo's face whose code is in the folder."""

    photo: Path
    name: str
    """Name of the result: NAME.npz is its code."""
    figures: Figures
    one_pass: Figures | None
    """Metrics of the one-pass reconstruction, if the iterator started from it."""
    steps: int
    """Steps of the iterator that were taken."""
    skipped: bool
    """Whether the result was finished in an earlier run."""
    refine_steps: int = 0
    """Steps of the refinement beyond the code that followed."""
    pictures: bool = True
    """Whether its pictures are in the folder, too."""

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of the reconstruction: mse, psnr, ssim, lpips_alex, id."""
        return dict(self.figures.metrics)


@dataclass(frozen=True)
class Failed:
    """A photo that could not be embedded."""

    photo: Path
    error: UserError
    """Error of the photo; its message begins with the photo's path."""

    @property
    def reason(self) -> str:
        """Error message in one line."""
        return str(self.error)


Outcome = Embedded | Failed


def successes(outcomes: Iterable[Outcome], on_failure: Callable[[Failed], None]) -> Iterator[Embedded]:
    """Yield the faces that were embedded; of each photo that could not be, `on_failure` is told."""
    for outcome in outcomes:
        if isinstance(outcome, Embedded):
            yield outcome
        else:
            on_failure(outcome)
