from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from latentloop.benchmark import our_iterator as module
from latentloop.benchmark.our_iterator import our_iterator
from latentloop.embedding.quality import NEAR
from latentloop.generators import Generator, load_generator, low_precision
from latentloop.inversion import PriorConfig, code_prior
from latentloop.latents import sample_codes, style_alignment, w_std_of
from small_generators import SmallGenerator


@pytest.fixture
def aligning(monkeypatch: pytest.MonkeyPatch) -> PriorConfig:
    """A prior of all terms, as the one that near starts get."""
    prior = PriorConfig(lambda_near=0.1, lambda_align=1.0, lambda_spread=0.2)
    monkeypatch.setitem(NEAR, "balanced", replace(NEAR["balanced"], prior=prior))
    return prior


def test_the_prior_is_that_of_embed_whatever_draws(small_generator: SmallGenerator, aligning: PriorConfig) -> None:
    generator = load_generator(small_generator())
    drawing = low_precision(generator, torch.bfloat16)
    iterator, settings = our_iterator(generator, drawing, None, faces=False, dtype=torch.bfloat16)(2, True)
    start, w_plus = sample_codes(generator, 2, randomness=torch.Generator().manual_seed(0)).split(1)
    expected = code_prior(aligning, w_std=lambda: w_std_of(generator), alignment=lambda: style_alignment(generator))
    assert iterator.prior is not None
    assert expected is not None
    assert iterator.generator is drawing
    assert torch.equal(iterator.prior(start)(w_plus), expected(start)(w_plus))
    assert settings == {"lambda_near": 0.1, "lambda_align": 1.0, "lambda_spread": 0.2}


@pytest.mark.usefixtures("aligning")
def test_random_codes_are_looked_at_once(small_generator: SmallGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, seen = load_generator(small_generator()), list[str]()

    def counted(name: str, look: Callable[[Generator], Any]) -> Callable[[Generator], Any]:
        def looked(generator: Generator) -> Any:  # noqa: ANN401
            seen.append(name)
            return look(generator)

        return looked

    for name in ("w_std_of", "style_alignment"):
        monkeypatch.setattr(module, name, counted(name, getattr(module, name)))
    made = our_iterator(generator, generator, None, faces=False)
    for steps in (2, 5):
        made(steps, True)
    assert sorted(seen) == ["style_alignment", "w_std_of"]
