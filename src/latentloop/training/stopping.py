"""Stopping long work after the current step."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_signals(*numbers: signal.Signals, on_ask: Callable[[], object] = lambda: None) -> Iterator[Callable[[], bool]]:
    """Catch signals; yields a function that tells whether one has arrived.

    A second signal raises KeyboardInterrupt immediately. Outside the main thread, where Python allows no handlers,
    nothing is caught.

    Args:
        numbers: Signals to catch, such as `signal.SIGINT`, which Ctrl-C sends.
        on_ask: Called when the first one arrives.
    """
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        on_ask()

    caught = numbers if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, ask) for number in caught}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
