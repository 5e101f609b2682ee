"""Metrics of a training run for TensorBoard, if it is installed."""

import importlib.util
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from latentloop.errors import UserError

GROUPS = {
    "loss": ("loss", "w", "img", "per"),
    "iterator": ("teacher", "gain", "known"),
    "validation": ("val_loss", "val_mse", "val_lpips"),
}
"""Metrics of each group that TensorBoard shows together."""


class TensorBoardLog:
    """Writes a run's metrics and pictures for TensorBoard.

    It does nothing without a folder, without TensorBoard, and if the folder's name is not valid UTF-8, which
    TensorBoard requires.
    """

    def __init__(self, folder: Path | None, step: int) -> None:
        """Continue after a step: what an earlier session wrote about later steps is hidden.

        Raises:
            UserError: The folder cannot be written to.
        """
        self._writer: Any = None
        if folder and importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            try:
                with suppress(UnicodeEncodeError):
                    self._writer = SummaryWriter(str(folder), purge_step=step + 1)
            except OSError as error:
                raise UserError(f"{folder}: cannot write here: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._writer:
            self._writer.close()

    def scalars(self, metrics: Mapping[str, float]) -> None:
        """Write a step's metrics; `metrics["step"]` is its number."""
        for group, names in GROUPS.items() if self._writer else ():
            for name in metrics.keys() & set(names):
                self._writer.add_scalar(f"{group}/{name}", metrics[name], int(metrics["step"]))

    def picture(self, image: Tensor, step: int) -> None:
        """Write an image (1, 3, H, W) in [-1, 1]: photo, one pass, one pass and the iterator, row by row."""
        if self._writer:
            self._writer.add_image("photo, one pass, with the iterator", (image[0].float() + 1) / 2, step)
            self._writer.flush()
