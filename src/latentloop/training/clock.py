"""The time that a training run has taken, over all its pauses."""

import time


class Clock:
    """Counts the seconds since it was started, on top of earlier ones."""

    def __init__(self, before: float = 0.0) -> None:
        """Begin with the seconds before, not started."""
        self._before, self._begun = before, -1.0

    def start(self) -> None:
        """Start counting, unless it does already."""
        if self._begun < 0:
            self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._before + (time.monotonic() - self._begun if self._begun >= 0 else 0.0)
