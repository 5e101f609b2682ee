from threading import Event, Thread
from time import sleep

import pytest

from latentloop.threads import WriteBehind, read_ahead


def test_items_are_read_while_the_caller_is_busy() -> None:
    read = [Event() for _ in range(4)]

    def take(i: int) -> int:
        read[i].set()
        return i

    for i, future in read_ahead(take, range(4), ahead=2):
        assert future.result() == i
        assert all(event.wait(10) for event in read[: i + 3])


def test_no_more_than_wanted_is_read_ahead() -> None:
    begun: list[int] = []
    reading = read_ahead(begun.append, range(100), ahead=2)
    next(reading)
    reading.close()
    assert begun == [0, 1, 2][: len(begun)]


def test_an_item_that_cannot_be_read_says_so_in_its_place() -> None:
    results = [future for _, future in read_ahead(lambda i: 1 / i, [1, 0, 2], ahead=1)]
    assert [future.exception() is None for future in results] == [True, False, True]


def test_results_come_in_order_and_leaving_waits_for_all() -> None:
    written: list[int] = []

    def write(i: int) -> int:
        written.append(i)
        return i

    with WriteBehind[int](most=10) as behind:
        behind.submit(write, 0)
        behind.submit(write, 1)
        assert list(behind.done(all_of_them=True)) == [0, 1]
        behind.submit(write, 2)
    assert written == [0, 1, 2]


def test_the_caller_waits_if_too_much_is_unwritten() -> None:
    gate, asking = Event(), Event()

    def open_late() -> None:
        asking.wait(10)
        sleep(0.1)  # so that a caller who does not wait has been answered by now
        gate.set()

    opener = Thread(target=open_late)
    opener.start()
    with WriteBehind[int](most=1) as behind:
        for i in range(2):
            behind.submit(lambda i: gate.wait(10) and i, i)
        asking.set()
        done = next(behind.done(), None)
        assert gate.is_set()
        assert done == 0
    opener.join()


def test_the_caller_goes_on_while_little_is_unwritten() -> None:
    gate = Event()
    with WriteBehind[bool](most=2) as behind:
        for _ in range(2):
            behind.submit(gate.wait, 10)
        assert list(behind.done()) == []
        gate.set()


def test_an_error_of_a_call_is_raised_where_its_result_would_be() -> None:
    with WriteBehind[float](most=1) as behind:
        behind.submit(lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            list(behind.done(all_of_them=True))
