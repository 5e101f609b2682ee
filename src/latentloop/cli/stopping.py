"""Ending long work at a good moment."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from latentloop.cli.console import say


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Yield what tells whether Ctrl-C or SIGTERM has asked to stop; a second one stops at once."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        say("latentloop: stopping after this step; once more stops at once", error=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
