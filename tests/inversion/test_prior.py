from collections.abc import Callable
from typing import NoReturn

import numpy as np
import pytest
import torch
from torch import Tensor

from conftest import ToyGenerator, randn
from latentloop.inversion import IteratorConfig, LatentIterator, PriorConfig, code_prior
from latentloop.inversion.prior import FINE, CodePrior
from latentloop.latents import StyleAlignment, mean_code, style_alignment
from latentloop.losses import pixel_loss, toward

NAMES = ("lambda_near", "lambda_align", "lambda_spread", "lambda_fine")
NUM_WS = 16


def never() -> NoReturn:
    pytest.fail("statistics were asked for")


@pytest.fixture
def alignment(toy: ToyGenerator) -> StyleAlignment:
    toy.num_ws = NUM_WS
    return style_alignment(toy, samples=100)


def prior_of(alignment: StyleAlignment, **weights: float) -> CodePrior:
    prior = code_prior(PriorConfig(**weights), w_std=lambda: alignment.w_std, alignment=lambda: alignment)
    assert prior is not None
    return prior


def test_its_terms_are_those_of_plain_loops(alignment: StyleAlignment) -> None:
    start, w_plus = randn(2, NUM_WS, 8), randn(2, NUM_WS, 8, seed=1)
    weights = {"lambda_near": 2.0, "lambda_align": 3.0, "lambda_spread": 5.0, "lambda_fine": 7.0}
    std = alignment.w_std
    expected = []
    for a, b in zip(start.numpy(), w_plus.numpy(), strict=True):
        squares = [np.mean(((y - x) / std) ** 2) for x, y in zip(a, b, strict=True)]
        middle = sum(b) / NUM_WS
        spread = np.mean([np.mean(((y - middle) / std) ** 2) for y in b])
        cosines = [y @ one.anchor.numpy() / np.linalg.norm(y) for y, one in zip(b, alignment.styles, strict=True)]
        fine = squares[11:]
        expected.append(2 * np.mean(squares) - 3 * np.mean(cosines) + 5 * spread + 7 * sum(fine) / 5)
    found = prior_of(alignment, **weights)(start)(w_plus)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_each_term_has_the_gradient_of_finite_differences(alignment: StyleAlignment, name: str) -> None:
    prior = prior_of(alignment, **{name: 1.0})(randn(1, NUM_WS, 8))
    assert torch.autograd.gradcheck(prior, randn(1, NUM_WS, 8, seed=1).requires_grad_())


@pytest.mark.parametrize("name", ["lambda_near", "lambda_fine"])
def test_a_code_has_no_distance_from_itself(alignment: StyleAlignment, name: str) -> None:
    start = randn(2, NUM_WS, 8)
    assert prior_of(alignment, **{name: 1.0})(start)(start).tolist() == [0, 0]


def test_coarse_styles_are_no_fine_ones(alignment: StyleAlignment) -> None:
    start, w_plus = randn(1, NUM_WS, 8), randn(1, NUM_WS, 8, seed=1)
    w_plus[:, FINE:] = start[:, FINE:]
    assert prior_of(alignment, lambda_fine=1.0)(start)(w_plus).item() == 0


def test_without_fine_styles_there_is_nothing_to_penalise(alignment: StyleAlignment) -> None:
    start, w_plus = randn(1, 4, 8), randn(1, 4, 8, seed=1)
    assert prior_of(alignment, lambda_fine=1.0)(start)(w_plus).item() == 0


def test_weights_of_zero_cost_nothing() -> None:
    assert code_prior(PriorConfig(), w_std=never, alignment=never) is None


@pytest.mark.parametrize("name", ["lambda_near", "lambda_spread", "lambda_fine"])
def test_styles_are_aligned_only_where_that_has_a_weight(alignment: StyleAlignment, name: str) -> None:
    prior = code_prior(PriorConfig(**{name: 1.0}), w_std=lambda: alignment.w_std, alignment=never)
    assert prior
    assert prior(randn(1, NUM_WS, 8))(randn(1, NUM_WS, 8)).shape == (1,)


@pytest.mark.parametrize("name", NAMES)
def test_weights_below_zero_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be 0 or more, got -1.0"):
        PriorConfig(**{name: -1.0})


def refined(toy: ToyGenerator, prior: CodePrior | None, **settings: object) -> tuple[Tensor, Tensor, Tensor]:
    """Loss and losses of a run, and the code, toward an image that the generator draws."""
    target = toy.synthesis(mean_code(toy) + 0.5 * randn(1, toy.num_ws, toy.w_dim))
    iterator = LatentIterator(toy, toward(pixel_loss), IteratorConfig(**settings), prior)  # type: ignore[arg-type]
    found = iterator.refine(target, mean_code(toy))
    torch.testing.assert_close(pixel_loss(toy.synthesis(found.w_plus), target), found.loss)  # of the image alone
    return found.loss, found.losses, found.w_plus


def test_near_the_start_a_code_stays_nearer(toy: ToyGenerator) -> None:
    free, kept = (refined(toy, prior, steps=40) for prior in (None, near(toy, 0.1)))
    distances = [(one[2] - mean_code(toy)).norm() for one in (free, kept)]
    assert distances[1] < 0.6 * distances[0]
    assert kept[0] > free[0]


def test_the_best_code_is_that_of_the_least_sum(toy: ToyGenerator) -> None:
    """A prior that outweighs all: the start is best, although every other image is nearer to the target."""
    loss, losses, w_plus = refined(toy, near(toy, 1e6), steps=3, lr=1e-4, optimizer="adam", ramp_down=0)
    assert torch.equal(w_plus, mean_code(toy))
    assert loss == losses[0]
    assert losses.min() < loss


def test_in_space_w_the_prior_sees_a_style_for_each_layer(toy: ToyGenerator) -> None:
    seen: list[tuple[int, ...]] = []

    def watching(start: Tensor) -> Callable[[Tensor], Tensor]:
        def term(w_plus: Tensor) -> Tensor:
            seen.extend([tuple(start.shape), tuple(w_plus.shape)])
            return 0.01 * (w_plus - start).square().sum(dim=(1, 2))

        return term

    refined(toy, watching, steps=2, space="w")
    assert set(seen) == {(1, toy.num_ws, toy.w_dim)}


def near(toy: ToyGenerator, weight: float) -> CodePrior:
    return prior_of(style_alignment(toy, samples=100), lambda_near=weight)
