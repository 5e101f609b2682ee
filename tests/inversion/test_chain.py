from dataclasses import replace

import pytest
import torch
from torch import Tensor

from latentloop.generators.protocol import Generator
from latentloop.inversion import IteratorChain, IteratorConfig, LatentIterator
from latentloop.latents import mean_code, sample_codes
from latentloop.losses import pixel_loss, toward, weighted_sum


def drawn(toy: Generator) -> Tensor:
    codes = sample_codes(toy, 2, randomness=torch.Generator().manual_seed(1)).double()
    return toy.synthesis(codes)


def chain(toy: Generator, first: int, second: int) -> IteratorChain:
    iterator = LatentIterator(toy, toward(pixel_loss), IteratorConfig(steps=first))
    later = LatentIterator(toy, weighted_sum((3.0, toward(pixel_loss))), IteratorConfig(steps=second, lr=0.02))
    return IteratorChain([iterator, later])


def test_each_iterator_starts_where_the_one_before_ended(toy: Generator) -> None:
    target, both = drawn(toy), chain(toy, 5, 4)
    first = both.iterators[0].refine(target, mean_code(toy, 2))
    second = both.iterators[1].refine(target, first.w_plus)
    found = both.refine(target, mean_code(toy, 2))
    assert torch.equal(found.w_plus, second.w_plus)
    assert torch.equal(found.loss, second.loss)
    assert torch.equal(found.losses, torch.cat([first.losses, second.losses[1:]]))
    assert torch.equal(found.steps, 5 + second.steps)
    assert both.steps == 9


def test_steps_are_counted_on(toy: Generator) -> None:
    seen: list[int] = []
    chain(toy, 2, 3).refine(drawn(toy), mean_code(toy, 2), lambda step, _: seen.append(step))
    assert seen == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("first", "second"), [(0, 4), (4, 0)])
def test_iterators_without_steps_are_passed_over(toy: Generator, first: int, second: int) -> None:
    target, both = drawn(toy), chain(toy, first, second)
    seen: list[int] = []
    found = both.refine(target, mean_code(toy, 2), lambda step, _: seen.append(step))
    alone = both.iterators[0 if first else 1].refine(target, mean_code(toy, 2))
    for field in ("w_plus", "loss", "losses", "steps", "image"):
        assert torch.equal(getattr(found, field), getattr(alone, field))
    assert seen == [0, 1, 2, 3, 4]


def test_without_any_steps_the_start_comes_back(toy: Generator) -> None:
    target, start = drawn(toy), mean_code(toy, 2)
    found = chain(toy, 0, 0).refine(target, start)
    assert torch.equal(found.w_plus, start)
    assert found.losses.shape == (0, 2)


def test_a_later_iterator_that_finds_nothing_better_keeps_the_code(toy: Generator) -> None:
    target, both = drawn(toy), chain(toy, 5, 2)
    wild = replace(both.iterators[1], config=IteratorConfig(steps=2, lr=100))
    first = both.iterators[0].refine(target, mean_code(toy, 2))
    found = IteratorChain([both.iterators[0], wild]).refine(target, mean_code(toy, 2))
    assert torch.equal(found.w_plus, first.w_plus)
    assert torch.equal(found.steps, first.steps)
