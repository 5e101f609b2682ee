import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.metrics import ms_ssim, ssim


def pictures(noise: float, size: int = 200) -> tuple[Tensor, Tensor]:
    randomness = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    phase = randomness.uniform(0, 6, (2, 3, 1, 1))
    target = 0.9 * np.sin(0.11 * x + 0.07 * y + phase) * np.cos(0.31 * y)
    image = np.clip(target + noise * randomness.standard_normal(target.shape), -1, 1)
    return torch.from_numpy(image), torch.from_numpy(target)


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
