"""The figure of periodic patterns, against waves of known period."""

import math

import pytest
import torch
from torch import Tensor

from latentloop.metrics import periodic_pattern

SIZE = 192


def noise(count: int = 1, height: int = SIZE, width: int = SIZE) -> Tensor:
    randomness = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(count, 3, height, width, generator=randomness, dtype=torch.float64)


def wave(vertical: float, horizontal: float) -> Tensor:
    """A cosine of so many cycles per pixel, (SIZE, SIZE)."""
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    return torch.cos(2 * math.pi * (vertical * y + horizontal * x)).double()


def test_noise_has_none() -> None:
    assert periodic_pattern(noise(16)).mean().abs() < 0.05  # a logarithm is below that of the mean


@pytest.mark.parametrize("period", [(0, 4), (0, 2), (4, 0), (2, 2), (4, 2), (4, -4)])
def test_a_wave_of_period_2_or_4_raises_it_by_its_power(period: tuple[int, int]) -> None:
    """A cosine under Hann's window brings known power into one of the nine peaks; at period 2, twice that."""
    amplitude, base = 0.2, noise(8)
    vertical, horizontal = (1 / n if n else 0.0 for n in period)
    window_power = (3 / 8 * SIZE) ** 2  # sum of the squared window
    own = all(abs(f) in (0, 0.5) for f in (vertical, horizontal))  # then the wave is its own mirror image
    added = amplitude**2 * SIZE**2 * window_power * (1 if own else 1 / 4) / 49
    floor = 0.1**2 * (0.299**2 + 0.587**2 + 0.114**2) * window_power
    expected = math.log10(1 + added / floor) / 9
    found = periodic_pattern(base + amplitude * wave(vertical, horizontal)) - periodic_pattern(base)
    assert found.mean().item() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("period", [3, 5, 8])
def test_waves_of_other_periods_do_not_count(period: int) -> None:
    found = periodic_pattern(noise() + 0.3 * wave(0, 1 / period)) - periodic_pattern(noise())
    assert found.abs() < 0.01


def test_an_image_is_measured_alike_brighter_and_mirrored() -> None:
    images = noise(3) + 0.02 * wave(0.25, 0.5)
    expected = periodic_pattern(images)
    torch.testing.assert_close(periodic_pattern(0.5 * images + 0.2), expected)
    torch.testing.assert_close(periodic_pattern(images.flip(3)), expected, rtol=0, atol=0.1)  # the window is not


def test_single_precision_is_enough() -> None:
    images = noise(2) + 0.8 * wave(1 / 64, 1 / 48)
    torch.testing.assert_close(periodic_pattern(images.float()).double(), periodic_pattern(images), rtol=0, atol=1e-3)


def test_a_flat_image_has_none() -> None:
    assert periodic_pattern(torch.zeros(1, 3, 128, 128)).item() == 0
