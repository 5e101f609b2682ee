import threading
import time
from contextvars import ContextVar

import pytest

from latentloop.studio import turns
from latentloop.studio.turns import Turns


def test_a_quick_request_does_not_wait_for_long_work() -> None:
    shared, inside, end = Turns(), threading.Event(), threading.Event()

    def work() -> None:
        with shared.long():
            inside.set()
            end.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(10)
    assert shared.quick(lambda: shared.quick(thread.is_alive))  # one within the other
    end.set()
    thread.join(10)


def test_long_work_waits_between_steps_until_it_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "QUIET", 0.2)
    shared, order, begun = Turns(), list[str](), threading.Event()

    def work() -> None:
        with shared.long():
            order.append("step 1")
            begun.set()
            time.sleep(0.05)
            shared.give_way()
            order.append("step 2")

    def preview() -> None:
        time.sleep(0.1)
        order.append("preview")

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10)
    shared.quick(preview)
    assert order == ["step 1", "preview"]
    thread.join(10)
    assert order == ["step 1", "preview", "step 2"]


def test_long_work_comes_one_after_the_other() -> None:
    shared, running, most = Turns(), list[int](), list[int]()

    def work() -> None:
        with shared.long():
            running.append(1)
            most.append(len(running))
            time.sleep(0.02)
            running.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [1, 1, 1, 1]


def test_one_thread_answers_all_quick_requests() -> None:
    shared, threads = Turns(), list[int]()

    def ask() -> None:
        threads.append(shared.quick(threading.get_ident))

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(10)
    assert len(threads) == 4
    assert len({*threads}) == 1
    assert threading.get_ident() not in threads


def test_a_quick_request_that_fails_tells_who_asked_and_the_next_is_answered() -> None:
    shared = Turns()
    with pytest.raises(ZeroDivisionError):
        shared.quick(lambda: 1 / 0)
    assert shared.quick(lambda: 1) == 1
    assert shared.soon(lambda: 2).result(10) == 2


def test_the_end_of_all_work_is_waited_for() -> None:
    shared, begun, end = Turns(), threading.Event(), threading.Event()

    def work() -> None:
        with shared.long():
            begun.set()
            end.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10)
    assert not shared.ended(0.01)
    end.set()
    thread.join(10)
    asked = shared.soon(lambda: time.sleep(0.2))
    assert not shared.ended(0.01)
    assert shared.ended(10)
    assert asked.done()


def test_who_asks_is_known_to_the_thread_that_answers() -> None:
    asks: ContextVar[str] = ContextVar("asks")
    asks.set("me")
    assert Turns().quick(asks.get) == "me"
