"""Turns: quick requests go before long work, which waits between its steps."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

QUIET = 0.6
"""Seconds without a quick request after which long work goes on: a moving slider keeps the processor to itself."""


class Turns:
    """A lock of the processor for many sessions, under which quick requests need not wait for long work to end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._quick = 0
        self._last = -QUIET

    @contextmanager
    def quick(self) -> Iterator[None]:
        """Hold the processor for a moment; long work pauses after the step that it is at."""
        with self._changed:
            self._quick += 1
        try:
            with self._lock:
                yield
        finally:
            with self._changed:
                self._quick -= 1
                self._last = time.monotonic()
                self._changed.notify_all()

    @contextmanager
    def long(self) -> Iterator[None]:
        """Hold the processor for long; call `give_way` between steps."""
        self._wait()
        with self._lock:
            yield

    def give_way(self) -> None:
        """Let quick requests go first, if there are any; only within `long`."""
        if self._busy():
            self._lock.release()
            try:
                self._wait()
            finally:
                self._lock.acquire()

    def _wait(self) -> None:
        with self._changed:
            while self._busy():
                self._changed.wait(QUIET)

    def _busy(self) -> bool:
        return self._quick > 0 or time.monotonic() - self._last < QUIET
