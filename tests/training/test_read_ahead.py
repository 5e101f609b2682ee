import threading

import pytest

from latentloop.training.read_ahead import read_ahead


def test_the_next_is_loaded_while_one_is_worked_on() -> None:
    begun = [threading.Event() for _ in range(4)]

    def load(step: int) -> int:
        begun[step].set()
        return step

    for step in read_ahead(load, range(4)):
        if step < 3:
            assert begun[step + 1].wait(timeout=60)


def test_it_is_no_more_than_one_ahead_and_in_order() -> None:
    loaded: list[int] = []
    ahead = read_ahead(loaded.append, range(5))
    for step in range(5):
        next(ahead)
        assert len(loaded) <= step + 2
    assert loaded == [0, 1, 2, 3, 4]


def test_an_error_comes_with_its_step() -> None:
    def load(step: int) -> int:
        if step == 2:
            raise OSError("gone")
        return step

    ahead = read_ahead(load, range(4))
    assert [next(ahead), next(ahead)] == [0, 1]
    with pytest.raises(OSError, match="gone"):
        next(ahead)


def test_once_it_is_closed_nothing_is_loaded_any_more() -> None:
    ahead = read_ahead(lambda step: step, range(100))
    next(ahead)
    ahead.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]
