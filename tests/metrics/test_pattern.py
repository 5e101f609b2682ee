"""The figure of periodic patterns, against NumPy and against waves of known period."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from latentloop.metrics import periodic_pattern

Array = npt.NDArray[np.float64]
SIZE = 192


def noise(count: int = 1, height: int = SIZE, width: int = SIZE) -> Tensor:
    randomness = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(count, 3, height, width, generator=randomness, dtype=torch.float64)


def wave(vertical: float, horizontal: float) -> Tensor:
    """A cosine of so many cycles per pixel, (SIZE, SIZE)."""
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    return torch.cos(2 * math.pi * (vertical * y + horizontal * x)).double()


def slow_pattern(image: Array) -> float:
    """Of one image (3, H, W), bin by bin."""
    grey = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
    height, width = grey.shape
    window = np.outer(*(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n) for n in (height, width)))
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    logs = []
    for vertical, horizontal in [(0, 1), (0, 2), (1, -1), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]:
        peak, ring = [], []
        for dy in range(-16, 17):
            for dx in range(-16, 17):
                value = power[(vertical * height // 4 + dy) % height, (horizontal * width // 4 + dx) % width]
                away = max(abs(dy), abs(dx))
                peak += [value] if away <= 3 else []
                ring += [value] if away >= 6 else []
        logs.append(np.log10(np.mean(peak) / (sorted(ring)[(len(ring) - 1) // 2] / np.log(2))))
    return float(np.mean(logs))


@pytest.mark.parametrize("shape", [(192, 192), (128, 256)])
def test_it_is_its_definition(shape: tuple[int, int]) -> None:
    images = noise(2, *shape)
    images[1] += 0.3 * torch.cos(torch.pi / 2 * torch.arange(shape[1]))  # of period 4
    expected = [slow_pattern(image.numpy()) for image in images]
    torch.testing.assert_close(periodic_pattern(images), torch.tensor(expected, dtype=torch.float64))


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


def test_an_image_is_measured_alike_in_a_batch_brighter_and_mirrored() -> None:
    images = noise(3) + 0.02 * wave(0.25, 0.5)
    expected = periodic_pattern(images)
    alone = torch.cat([periodic_pattern(image[None]) for image in images])
    torch.testing.assert_close(alone, expected)
    torch.testing.assert_close(periodic_pattern(0.5 * images + 0.2), expected)
    torch.testing.assert_close(periodic_pattern(images.flip(3)), expected, rtol=0, atol=0.1)  # the window is not


def test_single_precision_is_enough() -> None:
    images = noise(2) + 0.8 * wave(1 / 64, 1 / 48)
    torch.testing.assert_close(periodic_pattern(images.float()).double(), periodic_pattern(images), rtol=0, atol=1e-3)


def test_a_flat_image_has_none() -> None:
    assert periodic_pattern(torch.zeros(1, 3, 128, 128)).item() == 0


def test_images_too_small_to_tell_are_refused() -> None:
    with pytest.raises(ValueError, match=r"128 pixels or more, got \(1, 3, 64, 256\)"):
        periodic_pattern(torch.zeros(1, 3, 64, 256))
