"""Turns: quick requests go before long work, which waits between its steps."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

QUIET = 0.6
"""Seconds without a quick request after which long work goes on: a moving slider has the processor to itself."""
AT_ONCE = 2
"""Most quick requests that are answered at the same time, which bounds the memory that they take."""


class Turns:
    """Shares the processor between the sessions: quick requests never wait for long work to end."""

    def __init__(self) -> None:
        self._long = threading.Lock()
        self._quick = threading.BoundedSemaphore(AT_ONCE)
        self._changed = threading.Condition()
        self._mine = threading.local()
        self._asked, self._last = 0, -QUIET

    @contextmanager
    def quick(self) -> Iterator[None]:
        """Take a moment of the processor; long work pauses after the step that it is at. May be nested."""
        if getattr(self._mine, "inside", False):
            yield
            return
        with self._changed:
            self._asked += 1
        self._mine.inside = True
        try:
            with self._quick:
                yield
        finally:
            self._mine.inside = False
            with self._changed:
                self._asked -= 1
                self._last = time.monotonic()
                self._changed.notify_all()

    @contextmanager
    def long(self) -> Iterator[None]:
        """Take the processor for long, one after the other; call `give_way` between steps."""
        with self._long:
            self.give_way()
            yield

    def give_way(self, stopped: threading.Event | None = None) -> None:
        """Wait while there are quick requests, and until none has come for a moment; not if the work has to end."""
        with self._changed:
            while self._asked or time.monotonic() - self._last < QUIET:
                if stopped and stopped.is_set():
                    return
                self._changed.wait(QUIET / 4)
