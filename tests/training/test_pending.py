from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentloop.cache import CodeCache, CodeSpace
from latentloop.training.pending import PendingCodes

PHOTOS = [bytes([i]) * 32 for i in range(3)]


@pytest.fixture
def cache(tmp_path: Path) -> CodeCache:
    return CodeCache(tmp_path / "codes.cache", CodeSpace("f", num_ws=2, w_dim=3, loss={}))


def codes(seed: int) -> Tensor:
    return torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(seed))


def losses_in(cache: CodeCache | PendingCodes) -> list[float | None]:
    return [code.loss if code else None for code in cache.lookup(PHOTOS)]


def test_the_lower_loss_wins_wherever_it_lies_and_nothing_is_written_before_it_is_said(cache: CodeCache) -> None:
    cache.update(PHOTOS[:2], codes(0)[:2], torch.tensor([0.5, 0.25]), step=1)
    pending = PendingCodes(cache)
    pending.update(PHOTOS, codes(1), torch.tensor([0.375, 0.375, 0.75]), step=2)
    assert losses_in(pending) == [0.5, 0.25, None]
    pending.accept()
    assert losses_in(pending) == [0.375, 0.25, 0.75]
    pending.update(PHOTOS, codes(3), torch.zeros(3), step=3)
    pending.discard()
    pending.update(PHOTOS, codes(2), torch.tensor([0.4, 0.125, 0.5]), step=3)
    pending.accept()
    assert losses_in(pending) == [0.375, 0.125, 0.5]
    assert losses_in(cache) == [0.5, 0.25, None]
    seen = pending.lookup(PHOTOS)
    pending.commit()
    assert len(pending) == 0
    # A run that goes on from here must see to the last bit what one sees that was never stopped.
    for before, after in zip(seen, cache.lookup(PHOTOS), strict=True):
        assert before is not None
        assert after is not None
        assert (before.loss, before.step) == (after.loss, after.step)
        assert torch.equal(before.w_plus, after.w_plus)


def test_what_another_process_found_counts_as_well(cache: CodeCache) -> None:
    pending = PendingCodes(cache)
    pending.update(PHOTOS[:1], codes(1)[:1], torch.tensor([0.5]), step=1)
    pending.accept()
    cache.update(PHOTOS[:1], codes(2)[:1], torch.tensor([0.125]), step=9)
    assert losses_in(pending)[0] == 0.125
    pending.update(PHOTOS[:1], codes(3)[:1], torch.tensor([0.25]), step=2)
    pending.accept()
    pending.commit()
    assert losses_in(cache)[0] == 0.125


def test_of_one_photo_twice_in_an_update_the_better_stays(cache: CodeCache) -> None:
    pending = PendingCodes(cache)
    pending.update([PHOTOS[0]] * 3, codes(0), torch.tensor([0.5, 0.25, 0.375]), step=1)
    pending.accept()
    assert losses_in(pending)[0] == 0.25


@pytest.mark.parametrize(
    ("w_plus", "loss"),
    [
        (codes(0)[:2], torch.zeros(3)),
        (codes(0), torch.tensor([0.5, float("nan"), 0.5])),
        (codes(0) * 1e6, torch.zeros(3)),
        (codes(0)[:, :1], torch.zeros(3)),
    ],
)
def test_what_the_cache_would_refuse_is_refused_at_once(cache: CodeCache, w_plus: Tensor, loss: Tensor) -> None:
    pending = PendingCodes(cache)
    with pytest.raises(ValueError, match=r"codes|not finite"):
        pending.update(PHOTOS, w_plus, loss, step=1)
    pending.accept()
    assert len(pending) == 0


def test_a_state_comes_back_and_can_be_committed_twice(cache: CodeCache) -> None:
    first, second = PendingCodes(cache), PendingCodes(cache)
    first.update(PHOTOS[:2], codes(1)[:2], torch.tensor([0.3, 0.2], dtype=torch.float64), step=7)
    first.accept()
    second.load_state(first.state())
    assert losses_in(second) == [0.3, 0.2, None]
    first.commit()
    second.commit()
    assert losses_in(cache) == [0.3, 0.2, None]
    assert [code.step for code in cache.lookup(PHOTOS[:2]) if code] == [7, 7]


def test_an_empty_state_comes_back(cache: CodeCache) -> None:
    pending = PendingCodes(cache)
    pending.load_state(pending.state())
    pending.commit()
    assert losses_in(pending) == [None] * 3
