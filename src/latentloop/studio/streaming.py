"""Work in a thread whose latest results are shown while it runs."""

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def newest(work: Callable[[Callable[[T], None]], None]) -> Iterator[T]:
    """Run work in a thread, and yield its latest results.

    Results that arrive while the caller is busy replace older ones. The final result is always yielded. An error of the
    work is raised here.

    Args:
        work: Called with a function that receives its results.
    """
    changed, told, errors = threading.Condition(), list[T](), list[BaseException]()

    def tell(news: T) -> None:
        with changed:
            told[:] = [news]
            changed.notify()

    def run() -> None:
        try:
            work(tell)
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="studio-work", daemon=True)
    thread.start()
    ended = False
    while not ended:
        with changed:
            changed.wait_for(lambda: told or not thread.is_alive(), timeout=0.1)
            ended = not thread.is_alive()  # tested before the results are taken, so that none can follow
            news = told[:]
            told.clear()
        yield from news
    if errors:
        raise errors[0]
