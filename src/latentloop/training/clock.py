"""Clock of a training run that pauses with it."""

import time


class Clock:
    """Counts seconds since its start, added to those of earlier sessions of the run."""

    def __init__(self, before: float = 0.0) -> None:
        """Create a stopped clock that shows `before` seconds."""
        self._before, self._begun = before, -1.0

    def start(self) -> None:
        """Start counting, unless it is running."""
        if self._begun < 0:
            self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds counted so far."""
        return self._before + (time.monotonic() - self._begun if self._begun >= 0 else 0.0)
