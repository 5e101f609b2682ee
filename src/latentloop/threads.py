"""Reading ahead and writing behind in threads, while the device computes."""

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
    """Call a function on each item in another thread, one after the other; yield items with results in order.

    Args:
        function: Function to call.
        items: Arguments of the calls.
        ahead: Number of further items that are processed while the caller is busy with one.
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
        except BaseException:  # including GeneratorExit, when the caller leaves early
            thread.shutdown(cancel_futures=True)
            raise


class WriteBehind(Generic[Result]):
    """A queue of calls that run in another thread, one after the other; leaving the context waits for all."""

    def __init__(self, most: int) -> None:
        """Create an empty queue.

        Args:
            most: Number of calls that may wait in the queue before the caller has to wait.
        """
        self._thread, self._most = ThreadPoolExecutor(1, "write-behind"), most
        self._waiting: deque[Future[Result]] = deque()

    def __enter__(self) -> Self:
        self._thread.submit(int)  # starts the thread now; later there may not be enough memory for it
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._thread.shutdown()

    def submit(self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> None:
        """Queue a call of a function in the background."""
        self._waiting.append(self._thread.submit(function, *args, **kwargs))

    def done(self, *, all_of_them: bool = False) -> Iterator[Result]:
        """Yield the results of finished calls, in order; an error in a call is raised here.

        Args:
            all_of_them: Wait for all calls.
        """
        while self._waiting and (all_of_them or self._waiting[0].done() or len(self._waiting) > self._most):
            result = self._waiting[0].result()  # if this is interrupted, the call stays in the queue
            self._waiting.popleft()
            yield result
