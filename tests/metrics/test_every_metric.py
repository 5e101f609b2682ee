"""Every metric and loss of images takes the same five tests."""

import dataclasses

import pytest
import torch
from torch import Tensor

from latentloop.metrics import FACTS, mse
from metric_cases import CASES, METRICS
from metric_tester import Metric, MetricCase, MetricTester, plain


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
class TestEveryMetric(MetricTester):
    pass


def test_none_is_left_out() -> None:
    assert {case.name for case in METRICS} == FACTS.keys() - {"lpips_full", "pattern_photo"}


def without_a_channel(image: Tensor, target: Tensor) -> Tensor:
    """The MSE, of which the gradient does not reach the third channel."""
    return mse(torch.cat([image[:, :2], image[:, 2:].detach()], dim=1), target)


def without_a_border(image: Tensor, target: Tensor) -> Tensor:
    """The MSE, of which the gradient does not reach the last row."""
    return mse(torch.cat([image[..., :-1, :], image[..., -1:, :].detach()], dim=2), target)


def without_a_term(image: Tensor, target: Tensor) -> Tensor:
    """The MSE and a hundredth of it again, to which no gradient belongs."""
    return mse(image, target) + 0.01 * mse(image.detach(), target)


def mse_as(metric: Metric) -> MetricCase:
    """The case of the MSE, with another function in its place."""
    return dataclasses.replace(METRICS[0], load=plain(metric))


@pytest.mark.parametrize("metric", [without_a_channel, without_a_border, without_a_term])
def test_a_gradient_that_lacks_a_part_is_caught(metric: Metric) -> None:
    MetricTester().test_its_gradient_is_that_of_finite_differences(mse_as(mse))
    with pytest.raises(AssertionError):
        MetricTester().test_its_gradient_is_that_of_finite_differences(mse_as(metric))


@pytest.mark.parametrize("name", ["mse", "ssim"])
def test_a_metric_that_says_the_same_of_worse_pictures_is_caught(name: str) -> None:
    constant = torch.full((3,), FACTS[name].perfect or 0.0, dtype=torch.float64)
    (case,) = [case for case in METRICS if case.name == name]
    with pytest.raises(AssertionError, match="strictly_worse"):
        MetricTester().test_it_is_perfect_for_equals_symmetric_and_gets_worse_the_right_way(
            dataclasses.replace(case, load=plain(lambda image, _: constant[: len(image)]))
        )
