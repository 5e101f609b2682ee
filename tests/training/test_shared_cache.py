import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

import pytest
import torch
from torch import Tensor

from latentloop.cache import CodeCache, CodeSpace
from latentloop.errors import UserError
from latentloop.training.pending import PendingCodes
from latentloop.training.processes import Alone, Processes, refuse_other_steps, refuse_unlike
from latentloop.training.shared_cache import SharedCache

T = TypeVar("T")
SPACE = CodeSpace("f", num_ws=2, w_dim=3, loss={})
PHOTOS = [bytes([i]) * 32 for i in range(4)]


class Threads:
    """Threads in the place of processes: what one hands over, all get."""

    def __init__(self, index: int, count: int, given: dict[int, Sequence[object]], barrier: threading.Barrier) -> None:
        self.index, self.count, self._given, self._barrier = index, count, given, barrier

    def total(self, tensor: Tensor) -> Tensor:
        raise NotImplementedError

    def collected(self, items: Sequence[T]) -> list[T]:
        self._given[self.index] = list(items)
        self._barrier.wait()
        found = [one for index in range(self.count) for one in self._given[index]]
        self._barrier.wait()
        return cast("list[T]", found)

    def mixed_precision(self) -> AbstractContextManager[object]:
        return nullcontext()


def together(work: Callable[[Processes], T], count: int = 2) -> list[T]:
    """What work gives in each of several processes; the first one's error, if all have one."""
    given, barrier = dict[int, Sequence[object]](), threading.Barrier(count, timeout=120)
    with ThreadPoolExecutor(count) as pool:
        running = [pool.submit(work, Threads(index, count, given, barrier)) for index in range(count)]
        errors = [one.exception() for one in running]
        assert len({str(error) for error in errors}) == 1
        return [one.result() for one in running]


def test_the_first_process_alone_opens_the_file_and_all_see_what_is_in_it(tmp_path: Path) -> None:
    path, opened = tmp_path / "codes.cache", list[int]()
    codes = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    CodeCache(path, SPACE, dtype="float32").update(PHOTOS[:3], codes[:3], torch.tensor([0.5, 0.25, 0.125]), step=1)

    def work(processes: Processes) -> tuple[list[float | None], bool]:
        def open_file() -> CodeCache:
            opened.append(processes.index)
            return CodeCache(path, SPACE)

        cache = SharedCache(open_file, SPACE, processes)
        assert cache.dtype == "float32"  # an old file keeps its own
        mine = PHOTOS[processes.index :: processes.count]
        found = cache.lookup(mine)
        exact = all(
            one is None or torch.equal(one.w_plus, codes[PHOTOS.index(p)]) for p, one in zip(mine, found, strict=True)
        )
        return [one.loss if one else None for one in found], exact

    assert together(work) == [([0.5, 0.125], True), ([0.25, None], True)]
    assert opened == [0]


def test_pending_codes_of_all_processes_are_those_of_one(tmp_path: Path) -> None:
    codes, losses = torch.arange(24.0).view(4, 2, 3), torch.tensor([0.5, 0.25, 0.375, 0.125])

    def work(path: Path, processes: Processes) -> list[float | None]:
        pending = PendingCodes(SharedCache(partial(CodeCache, path, SPACE), SPACE, processes), processes)
        for step, factor in ((1, 1.0), (2, 0.5), (3, 2.0)):
            mine = slice(processes.index, None, processes.count)
            pending.lookup(PHOTOS[mine])
            pending.update(PHOTOS[mine], codes[mine], factor * losses[mine], step=step)
            pending.accept()
            if step == 1:
                pending.commit()
        return [one.loss if one else None for one in pending.lookup(PHOTOS)]

    alone = work(tmp_path / "one.cache", Alone())
    assert alone == (0.5 * losses).tolist()
    assert together(partial(work, tmp_path / "two.cache"), count=3) == [alone] * 3


def test_a_file_that_cannot_be_used_is_an_error_in_all_processes(tmp_path: Path) -> None:
    (tmp_path / "codes.cache").write_text("mine")
    with pytest.raises(UserError, match=r"codes\.cache: not a cache of codes"):
        together(lambda processes: SharedCache(partial(CodeCache, tmp_path / "codes.cache", SPACE), SPACE, processes))


def test_processes_that_were_given_other_photos_stop_in_one_line() -> None:
    def work(data: Sequence[str], processes: Processes) -> None:
        refuse_unlike(processes, {"seed": 0, "data": data[processes.index]})

    together(partial(work, ["a", "a"]))
    with pytest.raises(UserError, match="process 1 has another data than the first; give all machines the same"):
        together(partial(work, ["a", "b"]))


def test_processes_that_do_not_see_one_folder_stop_in_one_line() -> None:
    def work(steps: Sequence[int], processes: Processes) -> None:
        refuse_other_steps(processes, steps[processes.index], Path("run"))

    together(partial(work, [300, 300]))
    with pytest.raises(UserError, match=r"run: not the same on all machines \(steps 0, 300\); share it"):
        together(partial(work, [300, 0]))
