"""MSE, PSNR, SSIM and MS-SSIM of images in [-1, 1]; one value per image."""

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.images import check_alike

PEAK_TO_PEAK = 2.0
"""Range of the pixels' values, from -1 to 1."""
WINDOW = 11
"""Side of the Gaussian window of SSIM, in pixels."""
EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of MS-SSIM's five scales, finest first (Wang et al. 2003)."""
SMALLEST = WINDOW * 2 ** (len(EXPONENTS) - 1)
"""Smallest side of an image for MS-SSIM, in pixels: the window must fit into the coarsest scale."""


def mse(image: Tensor, target: Tensor) -> Tensor:
    """Compute the mean squared error of each image (N, 3, H, W) on [-1, 1], four times that on [0, 1]; (N,).

    Raises:
        ValueError: The images differ in shape or type.
    """
    check_alike(image, target)
    return (image - target).square().mean(dim=(1, 2, 3))


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Compute the PSNR in dB of each image (N, 3, H, W) in [-1, 1], (N,); infinite for equal images.

    Raises:
        ValueError: The images differ in shape or type.
    """
    # 10 log10(4 / MSE): the peak-to-peak range is 2. Published figures with 2 / MSE are 3.01 dB lower.
    return 10 * torch.log10(PEAK_TO_PEAK**2 / mse(image, target))


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Compute the SSIM of each image (N, 3, H, W) in [-1, 1], averaged over its colours, (N,) (Wang et al. 2004).

    The settings are the paper's: a Gaussian window of 11 pixels with standard deviation 1.5, K1 = 0.01, K2 = 0.03,
    evaluated where the window lies inside the image.

    Raises:
        ValueError: The images differ in shape or type, or are smaller than 11 pixels.
    """
    _check(image, target, smallest=WINDOW)
    luminance, contrast = _likeness(image, target)
    return (luminance * contrast).mean(dim=(1, 2, 3))


def ms_ssim(image: Tensor, target: Tensor) -> Tensor:
    """Compute the MS-SSIM of each image (N, 3, H, W) in [-1, 1], averaged over its colours, (N,) (Wang et al. 2003).

    It has the paper's five scales and exponents; each scale halves the one before by 2 x 2 means. Negative contrasts
    count as 0.

    Raises:
        ValueError: The images differ in shape or type, or are smaller than 176 pixels, so that the window does not fit
            into the coarsest scale.
    """
    _check(image, target, smallest=SMALLEST)
    factors = []
    for scale, exponent in enumerate(EXPONENTS):
        if scale:
            image, target = F.avg_pool2d(image, 2), F.avg_pool2d(target, 2)
        luminance, contrast = _likeness(image, target)
        # Luminance enters at the coarsest scale only.
        likeness = contrast if scale < len(EXPONENTS) - 1 else luminance * contrast
        # Just above 0, since a power below 1 has an infinite gradient at 0.
        factors.append(likeness.mean(dim=(2, 3)).clamp(min=1e-8) ** exponent)
    return torch.stack(factors).prod(dim=0).mean(dim=1)


def _check(image: Tensor, target: Tensor, *, smallest: int) -> None:
    check_alike(image, target)
    if min(image.shape[-2:]) < smallest:
        raise ValueError(f"image must be of {smallest} pixels or more, got {tuple(image.shape)}")


def _likeness(image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM's luminance term, and its contrast and structure terms as one, each (N, 3, H - 10, W - 10)."""
    # The constants (K1 L)^2 and (K2 L)^2 for a range of values L.
    c1, c2 = (0.01 * PEAK_TO_PEAK) ** 2, (0.03 * PEAK_TO_PEAK) ** 2
    mean_x, mean_y = _window_mean(image), _window_mean(target)
    var_x = _window_mean(image.square()) - mean_x.square()
    var_y = _window_mean(target.square()) - mean_y.square()
    covariance = _window_mean(image * target) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    return luminance, (2 * covariance + c2) / (var_x + var_y + c2)


def _window_mean(x: Tensor) -> Tensor:
    # Separable: the Gaussian of the rows, then of the columns, without padding.
    offsets = torch.arange(-5, 6, dtype=x.dtype, device=x.device)
    gaussian = torch.exp(-0.5 * (offsets / 1.5).square())
    gaussian = (gaussian / gaussian.sum()).expand(x.shape[1], 1, 1, -1)
    rows = F.conv2d(x, gaussian, groups=x.shape[1])
    return F.conv2d(rows, gaussian.mT, groups=x.shape[1])
