"""Removal of the periodic pattern that a wavelet generator leaves in its images."""

import torch
import torch.nn.functional as F
from torch import Tensor

CELL = 4
"""Side of an averaging cell, in periods; the means of 3 x 3 neighbouring cells are then smoothed."""
BUSY = 3.0
"""Activity at which a pixel's weight is halved, relative to the image's median activity."""
LARGEST = 4.0
"""Bound on the detail that enters the estimate, relative to the image's median activity."""


def descreen(image: Tensor, *, period: int) -> Tensor:
    """Subtract a slowly varying periodic pattern from images (N, C, H, W), estimated from their smooth regions.

    A network that doubles the resolution with inverse wavelet transforms leaves the local means of the high bands in
    its images: a canvas-like texture with periods 2, 4, ... The pattern is estimated as the local mean of each of the
    period^2 phases of the high-pass image. A plain mean would act as a notch filter and draw lattices around every
    edge, so busy regions get little weight and large values are clamped. Details and averages over a period are kept.

    The pattern is treated as constant: the gradient is that of the identity.

    Args:
        image: Images whose sides are multiples of `CELL` x `period`.
        period: Longest period of the pattern, in pixels; its divisors are removed, too.
    """
    with torch.no_grad():
        pattern = _pattern(image.float(), period)
    return image - pattern.to(image.dtype)


def _pattern(image: Tensor, period: int) -> Tensor:
    """The estimated pattern, in the shape of the images, with a mean of 0 over every period."""
    channels, phases = image.shape[1], period**2
    detail = image - _without_period(image, period)  # (N, C, H, W), holds the whole pattern
    activity = _windows_mean(detail.abs().mean(dim=1, keepdim=True), period)
    # The activity is a moving average, so a coarse grid of samples is enough for its median.
    some = activity[..., ::CELL, ::CELL].flatten(1).sort(dim=1).values  # ONNX has no median operator
    usual = some[:, (some.shape[1] - 1) // 2].clamp_min(1e-6)[:, None, None, None]
    # (N, 1, H, W), near 1 in smooth regions, 1/2 where the activity is BUSY times the median.
    weight = 1 / (1 + (activity / (BUSY * usual)).square())
    believed = weight * detail.clamp(-LARGEST * usual, LARGEST * usual)
    # pixel_unshuffle turns the period^2 phases into channels, (N, C * phases, H / period, W / period): a local mean of
    # each phase is then an ordinary average over neighbouring periods.
    total = _local_mean(F.pixel_unshuffle(believed, period)).unflatten(1, (channels, phases))
    weights = _local_mean(F.pixel_unshuffle(weight, period)).mean(dim=1)[:, None, None]
    # Weights lie in (0, 1]; the constant shrinks the estimate to 0 where a whole neighbourhood is busy.
    pattern = total / (weights + 0.02)
    # Without a mean over the phases, the subtraction leaves every period's average colour unchanged.
    pattern = pattern - pattern.mean(dim=2, keepdim=True)
    return F.pixel_shuffle(pattern.flatten(1, 2), period)


def _windows_mean(image: Tensor, reach: int) -> Tensor:
    """Moving average of images (N, C, H, W) over windows that extend `reach` pixels to each side."""
    window = 2 * reach + 1
    down = F.avg_pool2d(image, (window, 1), 1, (reach, 0), count_include_pad=False)
    return F.avg_pool2d(down, (1, window), 1, (0, reach), count_include_pad=False)


def _without_period(image: Tensor, period: int) -> Tensor:
    """The low frequencies of images: a triangle filter, whose response is 0 at all multiples of 1 / period."""
    # A triangle of 2 * period - 1 taps is a box of one period convolved with itself.
    ramp = torch.arange(1, period + 1, dtype=image.dtype, device=image.device)
    triangle = torch.cat([ramp, ramp[:-1].flip(0)]) / period**2
    channels = image.shape[1]
    padded = F.pad(image, [period - 1] * 4, mode="replicate")
    across = F.conv2d(padded, triangle.expand(channels, 1, 1, -1), groups=channels)
    return F.conv2d(across, triangle[:, None].expand(channels, 1, -1, 1), groups=channels)


def _local_mean(phases: Tensor) -> Tensor:
    """Means over 3 x 3 cells, interpolated back to the shape of `phases`."""
    cells = F.pad(F.avg_pool2d(phases, CELL), [1] * 4, mode="replicate")
    return F.interpolate(F.avg_pool2d(cells, 3, stride=1), scale_factor=CELL, mode="bilinear", align_corners=False)
