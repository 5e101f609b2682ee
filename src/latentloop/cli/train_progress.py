"""Progress of training: a bar on stderr."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from latentloop.cli.console import progress_bars


class TrainProgress:
    """Progress bar of training: the loss, the iterator's gain, the share of cached codes, and the speed."""

    def __init__(self, steps: int, done: int, batch: int) -> None:
        self._progress, self._batch, self._begun = progress_bars(), batch, time.perf_counter()
        self._task = self._progress.add_task("steps", total=steps, completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def step(self, metrics: Mapping[str, float]) -> None:
        """Show the metrics of a step: its number and its loss, and of a collaboration what the iterator gained."""
        seconds, self._begun = time.perf_counter() - self._begun, time.perf_counter()
        parts = [f"loss {metrics['loss']:.4f}"]
        if "gain" in metrics:
            parts += [f"iterator gains {metrics['gain']:.4f}", f"codes known {metrics['known']:.0%}"]
        parts += [f"{self._batch / seconds:.2f} images/s"]
        self._progress.update(self._task, completed=int(metrics["step"]), description=", ".join(parts))
