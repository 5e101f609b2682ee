"""One tester for all metrics and losses of images: it gives each the same five tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from latentloop.metrics import MetricFacts

Array = npt.NDArray[np.float64]
Metric = Callable[[Tensor, Tensor], Tensor]
"""Images and targets, each (N, 3, H, W) in [-1, 1] -> (N,)."""
NOISE = (0.2, 1.0, 0.02)
"""Standard deviations of the noise in the first, the second and the third picture."""


def noisier(image: Tensor, amount: float) -> Tensor:
    """Add normal noise of a standard deviation, and clamp."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return (image + amount * noise).clamp(-1, 1)


def with_canvas(image: Tensor, amount: float) -> Tensor:
    """Add a wave with a period of 4 pixels."""
    return image + amount * torch.cos(torch.pi / 2 * torch.arange(image.shape[-1], dtype=torch.float64))


@dataclass(frozen=True)
class MetricCase:
    """A metric with all that the tests need to know of it."""

    name: str
    load: Callable[[torch.dtype], Metric]
    """Gives the metric; networks in it compute in this type."""
    reference: Callable[..., float]
    """The value of one image (3, H, W) and its target in float64, by code that shares nothing with ours."""
    source: str
    """Where the reference comes from, for the calibration page."""
    facts: MetricFacts
    size: int = 64
    """Height of the pictures, in pixels."""
    square: bool = False
    """Pictures must be square; others are wider than high, so that axes cannot be taken for each other."""
    tolerance: float = 1e-9
    """Largest difference from the reference, in float64."""
    single: float = 1e-5
    """Largest difference of float32 from float64, as a share of the value."""
    smallest: int = 1
    """Least side of pictures, in pixels; smaller ones are refused."""
    takes_target: bool = True
    checked: bool = True
    """Wrong shapes and types are refused. The iterator checks them once for all its losses."""
    worse: Callable[[Tensor, float], Tensor] = noisier
    """Makes pictures worse by an amount."""

    def targets(self, count: int) -> Tensor:
        """Smooth pictures, each another one, (count, 3, H, W) in [-1, 1]."""
        y, x = np.mgrid[: self.size, : self.size if self.square else self.size + 16]
        phase = np.random.default_rng(0).uniform(0, 6, (count, 3, 1, 1))
        return torch.from_numpy(0.9 * np.sin(0.11 * x + 0.07 * y + phase) * np.cos(0.31 * y))

    def pair(self, count: int) -> tuple[Tensor, Tensor]:
        """Up to three pictures, with some noise, and what they were."""
        target = self.targets(count)
        return torch.cat([noisier(one[None], amount) for one, amount in zip(target, NOISE, strict=False)]), target

    def expected(self, image: Tensor, target: Tensor) -> Tensor:
        """The reference's value of each picture, (N,)."""
        pairs = zip(image.numpy(), target.numpy(), strict=True)
        values = [self.reference(x, y) if self.takes_target else self.reference(x) for x, y in pairs]
        return torch.tensor(values, dtype=torch.float64)


def refused(case: MetricCase) -> list[tuple[Tensor, Tensor]]:
    """Pictures that a metric cannot take, and targets."""
    image, target = case.pair(2)
    levels = ((image + 1) * 127.5).to(torch.uint8)
    wrong = [(image[0], target[0]), (levels, levels), (image[:, :1], target[:, :1])]
    if case.takes_target:
        wrong += [(image, target[:1]), (image, target[..., 1:]), (image, levels)]
    if case.smallest > 1:
        side = case.smallest - 1
        wrong.append((image[..., :side], target[..., :side]))
    return wrong


def strictly_worse(values: Tensor, facts: MetricFacts) -> bool:
    """Return whether values rise at every step, or fall if higher is better; (steps,)."""
    changes = values.diff()
    return bool((changes < 0 if facts.higher_is_better else changes > 0).all())


def slopes(metric: Metric, image: Tensor, target: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The slopes of a metric at an image along two fixed directions: by the gradient, and by central differences, (2,).

    The directions are normally distributed, so a slope is about as large as the gradient. Each has a part in every
    pixel: the gradient cannot leave out a channel, a border or a term. Along the gradient itself it could.
    """
    ways = torch.randn(2, *image.shape[1:], generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    # Short, so that hardly any rectifier of a network changes its side on the way.
    step = 1e-8
    above, below = (metric(image + sign * step * ways, target.expand_as(ways)) for sign in (1, -1))
    return (ways * gradient).sum(dim=(1, 2, 3)), (above - below) / (2 * step)


class MetricTester:
    """The five tests. Subclass it, and parametrize `case`."""

    def test_each_image_has_the_value_of_an_independent_reference(self, case: MetricCase) -> None:
        image, target = case.pair(2)
        found = case.load(torch.float64)(image, target)
        torch.testing.assert_close(found, case.expected(image, target), rtol=0, atol=case.tolerance)

    def test_there_is_one_value_per_image_however_the_batch_is_split(self, case: MetricCase) -> None:
        metric, (image, target) = case.load(torch.float64), case.pair(3)
        together = metric(image, target)
        assert together.shape == (3,)
        assert len(together.unique()) == 3
        for sizes in ([1, 1, 1], [1, 2]):
            parts = [metric(x, y) for x, y in zip(image.split(sizes), target.split(sizes), strict=True)]
            torch.testing.assert_close(torch.cat(parts), together, rtol=1e-9, atol=1e-12)

    def test_it_is_perfect_for_equals_symmetric_and_gets_worse_the_right_way(self, case: MetricCase) -> None:
        metric, target, facts = case.load(torch.float64), case.targets(1), case.facts
        values = torch.cat([metric(case.worse(target, amount), target) for amount in sorted(NOISE)])
        assert strictly_worse(values, facts)
        assert facts.lowest - 1e-9 <= values.min() <= values.max() <= facts.highest + 1e-9
        if case.takes_target:
            assert facts.perfect is not None
            best = torch.full((1,), facts.perfect, dtype=torch.float64)
            torch.testing.assert_close(metric(target, target), best, rtol=0, atol=1e-9)
            image, _ = case.pair(1)
            torch.testing.assert_close(metric(image, target), metric(target, image), rtol=1e-9, atol=0)

    def test_its_gradient_is_that_of_finite_differences(self, case: MetricCase) -> None:
        metric, (image, target) = case.load(torch.float64), case.pair(1)
        variable = image.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(metric(variable, target).sum(), variable)
        found, expected = slopes(metric, image, target, gradient)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * gradient.norm().item())

    def test_float32_suffices_and_what_is_no_batch_of_images_is_refused(self, case: MetricCase) -> None:
        image, target = case.pair(2)
        single = case.load(torch.float32)(image.float(), target.float())
        assert single.dtype == torch.float32
        torch.testing.assert_close(single.double(), case.load(torch.float64)(image, target), rtol=case.single, atol=0)
        for wrong in refused(case) if case.checked else []:
            with pytest.raises(ValueError, match="must"):
                case.load(torch.float64)(*wrong)


def plain(metric: Metric) -> Callable[[torch.dtype], Metric]:
    """A metric without a network."""
    return lambda _: metric


def toward(loss: Callable[[torch.dtype], Any]) -> Callable[[torch.dtype], Metric]:
    """A loss toward a target that is looked at first, as a function of both."""

    def load(dtype: torch.dtype) -> Metric:
        of = loss(dtype)
        return lambda image, target: of(target)(image)

    return load
