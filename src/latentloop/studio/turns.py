"""Turns: one thread answers all quick requests, and long work waits for them between its steps."""

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
"""Seconds without a quick request after which long work goes on: a moving slider has the processor to itself."""


class Turns:
    """Shares the processor between the sessions: quick requests never wait for long work to end.

    One thread computes what quick requests ask for, one after the other. OpenMP keeps a team of threads for each thread
    that computes, and while all teams have no more threads than there are processors they wait for each other awake,
    which draws a face in four fifths of the time. So long work has threads that end with it.
    """

    def __init__(self) -> None:
        self._long = threading.Lock()
        self._changed = threading.Condition()
        self._mine = threading.local()
        self._thread = ThreadPoolExecutor(1, "studio-quick", initializer=self._begin)
        self._asked, self._last = 0, -QUIET

    def quick(self, work: Callable[[], T]) -> T:
        """Do something in the thread of the quick requests; long work pauses after the step that it is at.

        What is asked for within that thread is done at once.
        """
        if getattr(self._mine, "inside", False):
            return work()
        return self.soon(work).result()

    def soon(self, work: Callable[[], T]) -> Future[T]:
        """Do something as `quick` does, without waiting for it."""
        with self._changed:
            self._asked += 1
        context = copy_context()  # in which Gradio remembers that components are values of an answer there
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
        """Take the processor for long, one after the other; call `give_way` between steps.

        What it has freed in the end goes back to the system: a search takes a gigabyte that nothing else needs.
        """
        with self._long:
            self.give_way()
            try:
                yield
            finally:
                return_freed_memory()

    def give_way(self, stopped: threading.Event | None = None) -> None:
        """Wait while there are quick requests, and until none has come for a moment; not if the work has to end."""
        with self._changed:
            while self._asked or time.monotonic() - self._last < QUIET:
                if stopped and stopped.is_set():
                    return
                self._changed.wait(QUIET / 4)

    def ended(self, timeout: float) -> bool:
        """Wait until nothing is computed any more; returns whether that came within some seconds."""
        until = time.monotonic() + timeout
        if not self._long.acquire(timeout=timeout):
            return False
        self._long.release()
        with self._changed:
            return self._changed.wait_for(lambda: not self._asked, max(until - time.monotonic(), 0))
