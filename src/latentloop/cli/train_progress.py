"""Progress of training: a bar on stderr."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from latentloop.cli.console import progress_bars

SECONDS = 1.0
"""Shortest interval over which the speed is averaged, in seconds; several steps may be reported at once."""


class TrainProgress:
    """Progress bar of training: loss, gain of the iterator, share of cached codes, speed in images per second."""

    def __init__(self, steps: int, done: int, batch: int) -> None:
        self._progress, self._batch, self._done = progress_bars(), batch, done
        self._begun, self._speed = time.perf_counter(), 0.0
        self._task = self._progress.add_task("steps", total=steps, completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def step(self, metrics: Mapping[str, float], share: float) -> None:
        """Show the metrics of a step.

        Args:
            metrics: `step` and `loss`; from a collaboration also `gain` and `known`.
            share: Share of the run that is done, (0, 1]; it predicts the number of steps of a run that ends by time.
        """
        step, now = int(metrics["step"]), time.perf_counter()
        if now - self._begun > SECONDS:
            self._speed = self._batch * (step - self._done) / (now - self._begun)
            self._begun, self._done = now, step
        parts = [f"loss {metrics['loss']:.4f}"]
        if "gain" in metrics:
            parts += [f"iterator gains {metrics['gain']:.4f}", f"codes known {metrics['known']:.0%}"]
        parts += [f"{self._speed:.2f} images/s"] if self._speed else []
        self._progress.update(self._task, completed=step, total=step / share, description=", ".join(parts))
