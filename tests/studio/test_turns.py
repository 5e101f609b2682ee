import threading
import time

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
    with shared.quick(), shared.quick():  # one within the other
        assert thread.is_alive()
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

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10)
    with shared.quick():
        time.sleep(0.1)
        order.append("preview")
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
