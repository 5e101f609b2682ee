"""MSE, PSNR and SSIM of images in [-1, 1]; one value per image."""

import torch
import torch.nn.functional as F
from torch import Tensor

PEAK_TO_PEAK = 2.0


def mse(image: Tensor, target: Tensor) -> Tensor:
    """Mean squared error on [-1, 1] (four times that on [0, 1]) of each image (N, 3, H, W), (N,)."""
    return (image - target).square().mean(dim=(1, 2, 3))


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, 10 log10(4 / MSE), of each image (N, 3, H, W); infinite if equal; (N,)."""
    return 10 * torch.log10(PEAK_TO_PEAK**2 / mse(image, target))


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) of each image (N, 3, H, W), mean over its colours; (N,).

    With the paper's settings: a Gaussian window of 11 pixels and standard deviation 1.5, K1 = 0.01, K2 = 0.03, and
    only where the window lies inside the image.
    """
    c1, c2 = (0.01 * PEAK_TO_PEAK) ** 2, (0.03 * PEAK_TO_PEAK) ** 2
    mean_x, mean_y = _window_mean(image), _window_mean(target)
    var_x = _window_mean(image.square()) - mean_x.square()
    var_y = _window_mean(target.square()) - mean_y.square()
    covariance = _window_mean(image * target) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return (likeness / ((mean_x.square() + mean_y.square() + c1) * (var_x + var_y + c2))).mean(dim=(1, 2, 3))


def _window_mean(x: Tensor) -> Tensor:
    offsets = torch.arange(-5, 6, dtype=x.dtype, device=x.device)
    gaussian = torch.exp(-0.5 * (offsets / 1.5).square())
    gaussian = (gaussian / gaussian.sum()).expand(x.shape[1], 1, 1, -1)
    rows = F.conv2d(x, gaussian, groups=x.shape[1])
    return F.conv2d(rows, gaussian.mT, groups=x.shape[1])
