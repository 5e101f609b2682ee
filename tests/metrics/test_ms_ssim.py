"""MS-SSIM against its definition, put together from scikit-image's maps."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.ndimage import correlate1d
from torch import Tensor

from latentloop.metrics import ms_ssim, ssim

Array = npt.NDArray[np.float64]


def pictures(noise: float, size: int = 200) -> tuple[Tensor, Tensor]:
    randomness = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    phase = randomness.uniform(0, 6, (2, 3, 1, 1))
    target = 0.9 * np.sin(0.11 * x + 0.07 * y + phase) * np.cos(0.31 * y)
    image = np.clip(target + noise * randomness.standard_normal(target.shape), -1, 1)
    return torch.from_numpy(image), torch.from_numpy(target)


def window_mean(x: Array) -> Array:
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    taps /= taps.sum()
    found: Array = correlate1d(correlate1d(x, taps, axis=0), taps, axis=1)[5:-5, 5:-5]
    return found


def slow_ms_ssim(x: Array, y: Array) -> float:
    """Of one colour, (H, W)."""
    found, c1, c2 = 1.0, (0.01 * 2) ** 2, (0.03 * 2) ** 2
    for scale, exponent in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale:
            x, y = (z[: len(z) // 2 * 2, : len(z) // 2 * 2] for z in (x, y))
            x, y = (z.reshape(len(z) // 2, 2, -1, 2).mean(axis=(1, 3)) for z in (x, y))
        mean_x, mean_y = window_mean(x), window_mean(y)
        var_x, var_y = window_mean(x * x) - mean_x**2, window_mean(y * y) - mean_y**2
        contrast = (2 * (window_mean(x * y) - mean_x * mean_y) + c2) / (var_x + var_y + c2)
        luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        found *= float((contrast * (luminance if scale == 4 else 1)).mean().clip(1e-8)) ** exponent
    return found


@pytest.mark.parametrize("noise", [0.01, 0.3, 1.0])
def test_it_is_its_definition(noise: float) -> None:
    image, target = pictures(noise)
    expected = [
        np.mean([slow_ms_ssim(x, y) for x, y in zip(a.numpy(), b.numpy(), strict=True)])
        for a, b in zip(image, target, strict=True)
    ]
    torch.testing.assert_close(ms_ssim(image, target), torch.tensor(expected), rtol=0, atol=1e-10)


def test_an_image_is_like_itself_and_its_negative_is_not() -> None:
    image, _ = pictures(0.3)
    torch.testing.assert_close(ms_ssim(image, image), torch.ones(2, dtype=torch.float64))
    negative = image.clone().requires_grad_()
    found = ms_ssim(-negative, image)
    assert (found < 0.01).all()
    found.sum().backward()
    assert negative.grad is not None
    assert negative.grad.isfinite().all()


def test_at_one_scale_it_would_be_ssim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentloop.metrics.pixels.EXPONENTS", (1.0,))
    image, target = pictures(0.3)
    torch.testing.assert_close(ms_ssim(image, target), ssim(image, target))


def test_small_images_are_refused() -> None:
    with pytest.raises(ValueError, match="image must be of 176 pixels or more"):
        ms_ssim(torch.zeros(1, 3, 175, 300), torch.zeros(1, 3, 175, 300))
