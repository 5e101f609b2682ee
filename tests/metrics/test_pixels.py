import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from latentloop.metrics import mse, psnr, ssim

Metric = Callable[[Tensor, Tensor], Tensor]


def pictures(noise: float = 0.2, height: int = 20, width: int = 33) -> tuple[Tensor, Tensor]:
    """Three smooth pictures in float64 and the same with noise, each (3, 3, height, width) in [-1, 1]."""
    randomness = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    phase = randomness.uniform(0, 6, (3, 3, 1, 1))
    target = 0.9 * np.sin(0.3 * x + 0.2 * y + phase)
    image = np.clip(target + noise * randomness.standard_normal(target.shape), -1, 1)
    return torch.from_numpy(image), torch.from_numpy(target)


def mse_of_scikit_image(image: Tensor, target: Tensor) -> float:
    return float(mean_squared_error(image.numpy(), target.numpy()))


def psnr_of_scikit_image(image: Tensor, target: Tensor) -> float:
    x, y = image.numpy(), target.numpy()
    return float(peak_signal_noise_ratio(y, x, data_range=2))  # type: ignore[no-untyped-call]


def ssim_of_scikit_image(image: Tensor, target: Tensor) -> float:
    paper = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    x, y = image.numpy(), target.numpy()
    return float(structural_similarity(x, y, data_range=2, channel_axis=0, **paper))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("noise", [0.01, 0.2, 1.0])
@pytest.mark.parametrize(
    ("metric", "reference"),
    [(mse, mse_of_scikit_image), (psnr, psnr_of_scikit_image), (ssim, ssim_of_scikit_image)],
    ids=["mse", "psnr", "ssim"],
)
def test_each_image_gets_the_value_of_scikit_image(
    metric: Metric, reference: Callable[[Tensor, Tensor], float], noise: float
) -> None:
    image, target = pictures(noise)
    expected = torch.tensor([reference(x, y) for x, y in zip(image, target, strict=True)], dtype=torch.float64)
    torch.testing.assert_close(metric(image, target), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("metric", "perfect"), [(mse, 0.0), (psnr, math.inf), (ssim, 1.0)])
def test_an_image_is_perfect_when_compared_with_itself(metric: Metric, perfect: float) -> None:
    image, _ = pictures()
    torch.testing.assert_close(metric(image, image), torch.full((3,), perfect, dtype=torch.float64))


@pytest.mark.parametrize("offset", [0.02, 0.2, 2.0])
def test_a_constant_error_has_the_psnr_of_its_square(offset: float) -> None:
    image = torch.full((2, 3, 8, 8), -1.0, dtype=torch.float64)
    expected = torch.full((2,), 20 * math.log10(2 / offset), dtype=torch.float64)
    torch.testing.assert_close(psnr(image + offset, image), expected)


def test_the_error_of_two_pixels_in_many_is_averaged() -> None:
    image, target = torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 5)
    image[1, 0, 0, 0], target[1, 2, 3, 4] = 0.5, -1.0
    torch.testing.assert_close(mse(image, target), torch.tensor([0.0, 1.25 / 60]))


@pytest.mark.parametrize("metric", [mse, psnr, ssim])
def test_it_does_not_matter_which_image_is_the_target(metric: Metric) -> None:
    image, target = pictures()
    torch.testing.assert_close(metric(image, target), metric(target, image))


@pytest.mark.parametrize("metric", [mse, psnr, ssim])
def test_a_metric_has_the_gradient_of_its_differences(metric: Metric) -> None:
    image, target = pictures(height=12, width=11)
    assert torch.autograd.gradcheck(lambda x: metric(x, target[:1]), image[:1].clone().requires_grad_(), fast_mode=True)


@pytest.mark.parametrize("metric", [mse, psnr, ssim])
def test_a_metric_in_float32_agrees_with_float64(metric: Metric) -> None:
    image, target = pictures()
    found = metric(image.float(), target.float())
    torch.testing.assert_close(found.double(), metric(image, target), rtol=1e-5, atol=1e-5)
