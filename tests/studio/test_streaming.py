import threading
from collections.abc import Callable

import pytest

from latentloop.studio.streaming import newest


def test_the_newest_and_the_last_are_told() -> None:
    told_all = threading.Event()

    def work(tell: Callable[[int], None]) -> None:
        for i in range(100):
            tell(i)
        told_all.set()

    seen = []
    for news in newest(work):
        seen.append(news)
        assert told_all.wait(10)  # what comes meanwhile takes the place of the older
    assert seen[-1] == 99
    assert len(seen) <= 2


def test_an_error_of_the_work_is_raised_after_what_it_told() -> None:
    def work(tell: Callable[[str], None]) -> None:
        tell("begun")
        raise ValueError("broken")

    seen = list[str]()
    with pytest.raises(ValueError, match="broken"):  # noqa: PT012 - what came before the error counts
        for news in newest(work):
            seen.append(news)
    assert seen == ["begun"]


def test_work_that_tells_nothing_ends() -> None:
    assert list(newest(lambda _: None)) == []
