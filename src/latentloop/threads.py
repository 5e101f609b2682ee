"""Reading ahead and writing behind, by threads, while the device works."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, ParamSpec, Self, TypeVar

P = ParamSpec("P")
Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Generator[tuple[Item, Future[Result]]]:
    """Call a function with each item in another thread, one after the other; yields them in order.

    Args:
        function: What is called.
        items: Its arguments.
        ahead: How many further items are worked on while the caller is busy with one.
    """
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        waiting: deque[tuple[Item, Future[Result]]] = deque()
        try:
            for item in items:
                waiting.append((item, thread.submit(function, item)))
                if len(waiting) > ahead:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        except BaseException:  # such as the caller's leaving early
            thread.shutdown(cancel_futures=True)
            raise


class WriteBehind(Generic[Result]):
    """Calls functions in another thread, one after the other; leaving its block waits for all of them."""

    def __init__(self, most: int) -> None:
        """Begin without work.

        Args:
            most: How many calls may wait before the caller has to.
        """
        self._thread, self._most = ThreadPoolExecutor(1, "write-behind"), most
        self._waiting: deque[Future[Result]] = deque()

    def __enter__(self) -> Self:
        self._thread.submit(int)  # begins the thread, which later there may be no memory for
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._thread.shutdown()

    def submit(self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> None:
        """Queue a function to be called in the background."""
        self._waiting.append(self._thread.submit(function, *args, **kwargs))

    def done(self, *, all_of_them: bool = False) -> Iterator[Result]:
        """Yield the results of calls that have ended, in order; an error of one is raised here.

        Args:
            all_of_them: Wait for all calls.
        """
        while self._waiting and (all_of_them or self._waiting[0].done() or len(self._waiting) > self._most):
            result = self._waiting[0].result()  # an interruption here leaves it in its place
            self._waiting.popleft()
            yield result
