"""Progress of embedding: bars on stderr and one line on stdout per photo."""

from types import TracebackType
from typing import Self

from torch import Tensor

from latentloop.cli.complaints import complain
from latentloop.cli.console import progress_bars, say
from latentloop.embedding.outcomes import Failed, Outcome


class EmbedProgress:
    """Two bars: photos done, and the steps of the current batch with its loss."""

    def __init__(self, photos: int, steps: int) -> None:
        self._progress = progress_bars()
        self._photos = self._progress.add_task("photos", total=photos)
        self._steps = self._progress.add_task("steps", total=steps, visible=steps > 0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def step(self, done: int, loss: Tensor) -> None:
        """Show a step of the iterator.

        Args:
            done: Steps done, 0 for the start of a batch.
            loss: Lowest loss of each image so far, (N,); not finite for images without a step yet.
        """
        if done == 0:
            self._progress.reset(self._steps)
        begun = loss[loss.isfinite()]  # images that wait for their turn have no loss yet
        self._progress.update(self._steps, completed=done, description=f"steps, loss {begun.mean().item():.4f}")

    def done(self, outcome: Outcome, photos_done: int) -> None:
        """Print the metrics of a photo on stdout, or its error on stderr."""
        self._progress.update(self._photos, completed=photos_done)
        if isinstance(outcome, Failed):
            complain(outcome.error)
            return
        figures, name = outcome.figures.metrics, outcome.name
        if first := outcome.one_pass:
            name += f": LPIPS {first.metrics['lpips_alex']:.3f} in one pass, {first.seconds:.1f} s; then"
        say(
            f"{name}: MSE {figures['mse']:.4f}  PSNR {figures['psnr']:.2f}  SSIM {figures['ssim']:.3f}  "
            f"LPIPS {figures['lpips_alex']:.3f}  ID {figures['id']:.3f}  "
            + f"{outcome.steps} steps, "
            + (f"{outcome.refine_steps} beyond the code, " if outcome.refine_steps else "")
            + ("finished earlier" if outcome.skipped else f"{outcome.figures.seconds:.1f} s")
        )
