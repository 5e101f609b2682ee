"""Taking the periodic pattern of a generator out of its images."""

import torch
import torch.nn.functional as F
from torch import Tensor

CELL = 4
"""Periods, along each axis, over which the pattern is averaged before it is smoothed over the neighbouring cells."""
BUSY = 3.0
"""Activity, relative to the image's median, at which a place counts half."""
LARGEST = 4.0
"""Largest value of the pattern that is believed, relative to the image's median activity."""


def descreen(image: Tensor, *, period: int) -> Tensor:
    """Subtract from images (N, C, H, W) the pattern that recurs every few pixels, as it is in their quiet places.

    A network that doubles the resolution by inverse wavelet transforms leaves the local means of their high bands in
    its images: a canvas of periods 2, 4, ... that varies slowly with what it covers. It is estimated as the local mean
    of each of the period^2 phases of the image without its low frequencies. A plain mean would be a notch filter, and
    spread lattices around every edge; here busy places count little and large values are cut off. Details stay, and so
    do averages over the period.

    The gradient is that of the identity: the pattern counts as constant.

    Args:
        image: Images whose sides are multiples of `CELL` x `period`.
        period: Longest period of the pattern, in pixels; its divisors are covered.
    """
    with torch.no_grad():
        pattern = _pattern(image.float(), period)
    return image - pattern.to(image.dtype)


def _pattern(image: Tensor, period: int) -> Tensor:
    """The pattern, of the shape of the images, with a mean of 0 in every period."""
    channels, phases = image.shape[1], period**2
    detail = image - _without_period(image, period)
    activity = _windows_mean(detail.abs().mean(dim=1, keepdim=True), period)
    # The activity is a mean over a window, so every few pixels tell its median.
    some = activity[..., ::CELL, ::CELL].flatten(1).sort(dim=1).values  # ONNX knows no median
    usual = some[:, (some.shape[1] - 1) // 2].clamp_min(1e-6)[:, None, None, None]
    weight = 1 / (1 + (activity / (BUSY * usual)).square())
    believed = weight * detail.clamp(-LARGEST * usual, LARGEST * usual)
    total = _local_mean(F.pixel_unshuffle(believed, period)).unflatten(1, (channels, phases))
    weights = _local_mean(F.pixel_unshuffle(weight, period)).mean(dim=1)[:, None, None]
    pattern = total / (weights + 0.02)
    pattern = pattern - pattern.mean(dim=2, keepdim=True)
    return F.pixel_shuffle(pattern.flatten(1, 2), period)


def _windows_mean(image: Tensor, reach: int) -> Tensor:
    """Means over the window of every pixel of images (N, C, H, W), from so many pixels before it to as many after."""
    window = 2 * reach + 1
    down = F.avg_pool2d(image, (window, 1), 1, (reach, 0), count_include_pad=False)
    return F.avg_pool2d(down, (1, window), 1, (0, reach), count_include_pad=False)


def _without_period(image: Tensor, period: int) -> Tensor:
    """The low frequencies: a triangle filter, which is 0 at all multiples of the pattern's frequency."""
    ramp = torch.arange(1, period + 1, dtype=image.dtype, device=image.device)
    triangle = torch.cat([ramp, ramp[:-1].flip(0)]) / period**2
    channels = image.shape[1]
    padded = F.pad(image, [period - 1] * 4, mode="replicate")
    across = F.conv2d(padded, triangle.expand(channels, 1, 1, -1), groups=channels)
    return F.conv2d(across, triangle[:, None].expand(channels, 1, -1, 1), groups=channels)


def _local_mean(phases: Tensor) -> Tensor:
    """Smooth means over 3 x 3 cells, of the shape of `phases`."""
    cells = F.pad(F.avg_pool2d(phases, CELL), [1] * 4, mode="replicate")
    return F.interpolate(F.avg_pool2d(cells, 3, stride=1), scale_factor=CELL, mode="bilinear", align_corners=False)
