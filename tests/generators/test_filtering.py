import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.generators.filtering import between, downsample, filtered_leaky_relu, lowpass, unused_border, upsample

Array = npt.NDArray[np.floating]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def symmetric(*shape: int, seed: int = 1) -> Tensor:
    """A random filter that is the same from either end."""
    taps = randn(*shape, seed=seed)
    return taps + taps.flip(tuple(range(len(shape))))


def slow_window(taps: int, attenuation: float) -> Array:
    """Kaiser's window, by its definition."""
    beta = 0.0
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    elif attenuation > 21:
        beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    return np.asarray(np.i0(beta * np.sqrt(1 - np.linspace(-1, 1, taps) ** 2)) / np.i0(beta))


def waves_of_an_interval(distance: Array, cutoff: float) -> Array:
    """All frequencies up to this one, added up."""
    nodes, weights = np.polynomial.legendre.leggauss(80)
    return np.asarray(np.cos(2 * math.pi * cutoff * distance[..., None] * nodes) @ weights)


def waves_of_a_disc(distance: Array, cutoff: float) -> Array:
    """All frequencies of the plane up to this length, added up along radii and around."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    radius = (nodes + 1) / 2
    along = np.outer(radius, np.cos(np.arange(120) * math.pi / 60)).ravel()
    return np.asarray(np.cos(2 * math.pi * cutoff * distance[..., None] * along) @ np.repeat(weights * radius, 120))


DESIGNS = [(6, 0.02), (7, 0.3), (7, 1.5), (12, 0.8), (12, 1.5), (24, 2.0)]
"""Taps and half a transition band, for attenuations below 21 dB, between the two, and above 50 dB."""


@pytest.mark.parametrize(("taps", "half_width"), DESIGNS)
@pytest.mark.parametrize("radial", [False, True])
def test_a_filter_is_a_sum_of_waves_under_a_window(taps: int, half_width: float, radial: bool) -> None:
    cutoff, rate = 1.3, 8.0
    at = (np.arange(taps) - (taps - 1) / 2) / rate
    radians = 2 * math.pi * 2 * half_width / rate  # of the transition band, from one tap to the next
    window = slow_window(taps, 2.285 * (taps - 1) * radians + 7.95)
    if radial:
        expected = waves_of_a_disc(np.hypot(at[:, None], at), cutoff) * np.outer(window, window)
    else:
        expected = waves_of_an_interval(at, cutoff) * window
    found = lowpass(taps, cutoff=cutoff, half_width=half_width, rate=rate, radial=radial)
    np.testing.assert_allclose(found.numpy(), expected / expected.sum(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("radial", [False, True])
def test_a_filter_of_one_tap_does_nothing(radial: bool) -> None:
    assert lowpass(1, cutoff=1.3, half_width=0.4, rate=4, radial=radial).flatten().tolist() == [1.0]


@pytest.mark.parametrize("radial", [False, True])
@pytest.mark.parametrize("degrees", [0, 30, 45])
def test_a_filter_passes_what_is_slow_and_stops_what_is_fast(radial: bool, degrees: int) -> None:
    taps, cutoff, half_width, rate = 64, 3.0, 0.46, 16.0  # about 50 dB along a diagonal, a factor of 300
    kernel = lowpass(taps, cutoff=cutoff, half_width=half_width, rate=rate, radial=radial).numpy()
    kernel = kernel if radial else np.outer(kernel, kernel)
    at = (np.arange(taps) - (taps - 1) / 2) / rate
    direction = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    # Separable filters have a square of frequencies, whose corners are farther off than its edges.
    reach = 1.0 if radial else max(direction)

    def response(frequency: float) -> float:
        x, y = (2 * math.pi * frequency / reach * part * at for part in direction)
        return float((kernel * np.cos(y[:, None] + x)).sum())

    assert all(abs(response(f) - 1) < 5e-3 for f in np.linspace(0, cutoff - half_width, 9))
    assert all(abs(response(f)) < 5e-3 for f in np.linspace(cutoff + half_width, 0.7 * rate / 2, 9))
    half = 0.25 if degrees == 45 and not radial else 0.5  # at the corner, half of a half
    assert abs(response(cutoff) - half) < 0.02


def slow_upsample(plane: Array, taps: Array, factor: int, size: int) -> Array:
    """With zeros inserted between pixels, one tap at a time; then the middle."""
    spread = np.zeros((factor * (len(plane) - 1) + 1,) * 2)
    spread[::factor, ::factor] = plane
    n, whole = len(spread), len(spread) + len(taps) - 1
    full = np.zeros((whole, whole))
    for dy, dx in np.ndindex(len(taps), len(taps)):
        full[dy : dy + n, dx : dx + n] += factor * taps[dy] * factor * taps[dx] * spread
    start = 2 * size + math.floor((whole - size) / 2)
    return np.pad(full, 2 * size)[start : start + size, start : start + size]


def slow_downsample(plane: Array, kernel: Array, factor: int) -> Array:
    """One pixel at a time."""
    size = (len(plane) - len(kernel)) // factor + 1
    out = np.zeros((size, size))
    for y, x in np.ndindex(size, size):
        surroundings = plane[factor * y :, factor * x :][: len(kernel), : len(kernel)]
        out[y, x] = (surroundings * kernel).sum()
    return out


def slow_activation(plane: Array, clamp: float | None) -> Array:
    activated = np.where(plane > 0, plane, 0.2 * plane)
    return activated if clamp is None else np.clip(activated, -clamp, clamp)


def stacked(planes: list[Array], like: Tensor) -> Tensor:
    return torch.from_numpy(np.stack(planes)).reshape(*like.shape[:2], *planes[0].shape)


@pytest.mark.parametrize(
    ("factor", "taps", "sizes"),
    [(2, 12, (20, 19, 14, 7, 4)), (2, 12, (21, 22, 25)), (4, 24, (40, 33, 17)), (2, 5, (13, 8)), (1, 1, (5, 4, 1, 8))],
    ids=["cropped", "with zeros around", "by four", "odd", "as they are"],
)
def test_upsampling_is_filtering_with_zeros_between_pixels(factor: int, taps: int, sizes: tuple[int, ...]) -> None:
    x, kernel = randn(2, 3, 5, 5), symmetric(taps)
    for size in sizes:
        expected = [slow_upsample(p, kernel.numpy(), factor, size) for p in x.flatten(0, 1).numpy()]
        found = upsample(x, kernel, factor=factor, size=size)
        torch.testing.assert_close(found, stacked(expected, x), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("factor", "taps"), [(1, 1), (1, 5), (2, 6), (2, 7), (4, 9)])
@pytest.mark.parametrize("radial", [False, True])
def test_downsampling_is_filtering_and_dropping_pixels(factor: int, taps: int, radial: bool) -> None:
    x, kernel = randn(2, 3, 16, 16), symmetric(taps, taps) if radial else symmetric(taps)
    plane = kernel.numpy() if radial else np.outer(kernel, kernel)
    expected = [slow_downsample(p, plane, factor) for p in x.flatten(0, 1).numpy()]
    torch.testing.assert_close(downsample(x, kernel, factor=factor), stacked(expected, x), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("up", "down"), [(2, 2), (4, 2), (2, 4), (1, 1)])
@pytest.mark.parametrize("radial", [False, True])
@pytest.mark.parametrize("clamp", [None, 0.5])
def test_the_activation_happens_at_the_higher_rate(up: int, down: int, radial: bool, clamp: float | None) -> None:
    x, size = randn(2, 2, 6, 6), 5
    up_taps, down_taps = symmetric(3 * up), symmetric(*([3 * down] * (1 + radial)))
    kernel = down_taps.numpy() if radial else np.outer(down_taps, down_taps)
    expected = []
    for plane in x.flatten(0, 1).numpy():
        fine = slow_upsample(plane, up_taps.numpy(), up, down * (size - 1) + 3 * down)
        expected.append(slow_downsample(slow_activation(fine, clamp), kernel, down))
    for learns in (False, True):
        given = x.clone().requires_grad_(learns)
        found = filtered_leaky_relu(given, up_taps, down_taps, up=up, down=down, size=size, clamp=clamp)
        torch.testing.assert_close(found.detach(), stacked(expected, x), rtol=0, atol=1e-12)
        assert torch.equal(given, x)


@pytest.mark.parametrize("radial", [False, True])
@pytest.mark.parametrize("clamp", [None, 0.5])
def test_the_activation_can_be_differentiated_twice(radial: bool, clamp: float | None) -> None:
    up_taps, down_taps = symmetric(4), symmetric(*([4] * (1 + radial)))

    def activate(x: Tensor) -> Tensor:
        return filtered_leaky_relu(x, up_taps, down_taps, up=2, down=2, size=2, clamp=clamp)

    x = randn(1, 2, 3, 3).requires_grad_()
    torch.autograd.gradcheck(activate, (x,))
    torch.autograd.gradgradcheck(activate, (x,))


def test_a_slow_wave_is_the_same_at_a_higher_rate() -> None:
    size, rate, factor = 32, 16, 2

    def wave(pixels: int, pixels_per_unit: int) -> Tensor:
        at = (torch.arange(pixels, dtype=torch.float64) + 0.5 - pixels / 2) / pixels_per_unit
        return (2 * math.pi * (1.7 * at[:, None] - 2.2 * at) + 0.4).sin()[None, None]

    taps = lowpass(24, cutoff=6, half_width=3, rate=factor * rate)
    found = upsample(wave(size, rate), taps, factor=factor, size=factor * size)
    inside = (..., slice(12, -12), slice(12, -12))
    torch.testing.assert_close(found[inside], wave(factor * size, factor * rate)[inside], rtol=0, atol=2e-3)


@pytest.mark.parametrize(("taps", "factor"), [(1, 1), (6, 2), (12, 2), (24, 4), (5, 3)])
def test_downsampling_needs_as_many_pixels_as_it_says(taps: int, factor: int) -> None:
    for size in (1, 2, 5):
        wide = torch.zeros(1, 1, between(size, taps, factor), between(size, taps, factor))
        assert downsample(wide, torch.ones(taps), factor=factor).shape[-1] == size
        if size > 1:
            narrow = wide[..., 1:, 1:]
            assert downsample(narrow, torch.ones(taps), factor=factor).shape[-1] == size - 1


@pytest.mark.parametrize(("size", "taps", "factor"), [(12, 12, 2), (9, 6, 1), (8, 24, 4), (12, 1, 1), (10, 6, 3)])
def test_an_unused_border_is_as_wide_as_can_be(size: int, taps: int, factor: int) -> None:
    widths = set()
    for wanted in range(1, factor * size + taps + 3):
        border = unused_border(size, taps, factor, wanted)
        widths.add(border)
        border = min(border, size // 2)
        inner = torch.zeros(1, 1, size - 2 * border, size - 2 * border)
        unused = F.pad(inner, [border] * 4, value=1.0)
        assert not upsample(unused, torch.ones(taps), factor=factor, size=wanted).any()
        used = F.pad(torch.zeros(1, 1, size - border - 1, size), (0, 0, border + 1, 0))
        used[..., border, :] = 1.0
        if border < size // 2:
            assert upsample(used, torch.ones(taps), factor=factor, size=wanted).any()
    assert len(widths) > 1
