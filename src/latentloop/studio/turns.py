"""Turns: one thread answers all quick requests, and long work yields to them between its steps."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from latentloop.allocator import return_freed_memory

T = TypeVar("T")

QUIET = 0.6
"""Seconds without quick requests before long work continues; a moving slider has the processor to itself."""


class Turns:
    """Shares the processor between the sessions: quick requests never wait for long work to end.

    One thread computes all quick requests, one after the other. OpenMP keeps a thread team for each computing thread;
    as long as all teams together have no more threads than there are processors, they wait actively, which draws a face
    in four fifths of the time. Long work therefore uses threads that end with it.
    """

    def __init__(self) -> None:
        self._long = threading.Lock()
        self._changed = threading.Condition()
        self._mine = threading.local()
        self._thread = ThreadPoolExecutor(1, "studio-quick", initializer=self._begin)
        self._asked, self._last = 0, -QUIET

    def quick(self, work: Callable[[], T]) -> T:
        """Run work in the thread of quick requests; long work pauses after its current step.

        Calls from within that thread run immediately.
        """
        if getattr(self._mine, "inside", False):
            return work()
        return self.soon(work).result()

    def soon(self, work: Callable[[], T]) -> Future[T]:
        """Submit work as `quick` does, without waiting for it."""
        with self._changed:
            self._asked += 1
        context = copy_context()  # Gradio notes in a context variable that components are return values here
        future = self._thread.submit(lambda: context.run(work))
        future.add_done_callback(self._answered)
        return future

    def _begin(self) -> None:
        self._mine.inside = True

    def _answered(self, _: Future[T]) -> None:
        with self._changed:
            self._asked -= 1
            self._last = time.monotonic()
            self._changed.notify_all()

    @contextmanager
    def long(self) -> Iterator[None]:
        """Hold the processor for long work, one at a time; call `give_way` between steps.

        Memory freed at the end is returned to the system: a search takes a gigabyte that nothing else needs.
        """
        with self._long:
            self.give_way()
            try:
                yield
            finally:
                return_freed_memory()

    def give_way(self, stopped: threading.Event | None = None) -> None:
        """Wait until no quick request has come for a moment; return at once if the work must stop."""
        with self._changed:
            while self._asked or time.monotonic() - self._last < QUIET:
                if stopped and stopped.is_set():
                    return
                self._changed.wait(QUIET / 4)

    def ended(self, timeout: float) -> bool:
        """Wait until nothing is computed; returns whether that happened within `timeout` seconds."""
        until = time.monotonic() + timeout
        if not self._long.acquire(timeout=timeout):
            return False
        self._long.release()
        with self._changed:
            return self._changed.wait_for(lambda: not self._asked, max(until - time.monotonic(), 0))
