"""Reading what the next step needs while the device works on this one."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(load: Callable[[int], T], steps: Iterable[int]) -> Generator[T, None, None]:
    """Yield what each step needs; that of the next step is loaded in a thread before it is asked for.

    A single thread loads in the order of the steps, so the results are those of calling `load` for one after the other,
    and an error comes when its step does. Close the iterator to wait for the thread.

    Args:
        load: Gives what a step needs.
        steps: Numbers of the steps.
    """
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as reader:
        for step in steps:
            pending.append(reader.submit(load, step))
            if len(pending) > 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
