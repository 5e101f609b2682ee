"""Filters and resampling of band-limited features, as in StyleGAN3 (Karras et al., arXiv:2106.12423)."""

import math

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.generators.mapping import SLOPE

NODES = 256
"""Quadrature nodes of the Bessel function J1, whose arguments stay below 60 in the published networks."""


def lowpass(taps: int, *, cutoff: float, half_width: float, rate: float, radial: bool = False) -> Tensor:
    """Design a Kaiser-windowed low-pass filter in float64 whose taps sum to 1: (taps,), or (taps, taps) if radial.

    Args:
        taps: Number of taps along an axis.
        cutoff: Frequency at which half the amplitude passes, in cycles per unit of length.
        half_width: Half the width of the transition band, in the same unit.
        rate: Sampling rate, in taps per unit of length.
        radial: Design a radially symmetric filter of the plane instead of a separable one.
    """
    # Kaiser's formula for the attenuation, in dB, that so many taps reach: 2.285 (taps - 1) times the width of the
    # transition band in radians per sample, plus 7.95.
    at = (np.arange(taps) - (taps - 1) / 2) / rate  # positions of the taps, centred on 0
    window = np.kaiser(taps, _kaiser_beta(2.285 * (taps - 1) * math.pi * 4 * half_width / rate + 7.95))
    if radial:
        kernel = _disc(2 * math.pi * cutoff * np.hypot(at[:, None], at)) * window[:, None] * window
    else:
        kernel = np.sinc(2 * cutoff * at) * window
    # Not torch.tensor: the filter has values even where a network is built without any, on the meta device.
    return torch.from_numpy(kernel / kernel.sum())


def _disc(x: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """The jinc function J1(x) / x up to a factor: the ideal low-pass filter of a disc, as sinc is of an interval.

    Computed from Poisson's integral, J1(x) / x = 1/pi times the integral of cos(x cos t) sin^2 t over [0, pi], because
    torch.special.bessel_j1 is accurate to seven digits only and the quotient is undefined at 0.
    """
    # The trapezoidal rule converges exponentially here once there are more nodes than x.
    angle = np.arange(1, NODES) * (math.pi / NODES)
    return np.asarray(np.cos(x[..., None] * np.cos(angle)) @ np.sin(angle) ** 2)


def _kaiser_beta(attenuation: float) -> float:
    """Kaiser's empirical window parameter beta for a stop-band attenuation in dB."""
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    above = max(attenuation - 21, 0.0)
    return 0.5842 * math.pow(above, 0.4) + 0.07886 * above


def upsample(x: Tensor, taps: Tensor, *, factor: int, size: int) -> Tensor:
    """Upsample features (N, C, R, R), taken as zero beyond their border, to (N, C, size, size).

    Args:
        x: Features.
        taps: Taps of the separable filter, (T,).
        factor: Ratio of the sampling rates.
        size: Pixels to keep around the centre, of the factor * (R - 1) + T that the filter reaches. If an odd number is
            dropped, the end loses one more.
    """
    surplus = factor * (x.shape[-1] - 1) + len(taps) - size  # pixels to drop; negative: zeros to add
    crop, channels = max(surplus // 2, 0), x.shape[1]
    # Inserting factor - 1 zeros after each sample divides the amplitude by the factor along each axis.
    kernel = (factor * taps).expand(channels, 1, 1, -1)
    x = F.conv_transpose2d(x, kernel, stride=(1, factor), padding=(0, crop), groups=channels)
    x = F.conv_transpose2d(x, kernel.transpose(2, 3), stride=(factor, 1), padding=(crop, 0), groups=channels)
    lacking = (crop - surplus // 2, crop - (surplus - surplus // 2))
    return F.pad(x, lacking * 2) if any(lacking) else x


def downsample(x: Tensor, taps: Tensor, *, factor: int) -> Tensor:
    """Filter features (N, C, R, R) without padding and keep every `factor`-th pixel.

    Args:
        x: Features.
        taps: Taps of a separable filter, (T,), or of a filter of the plane, (T, T).
        factor: Ratio of the sampling rates.
    """
    channels = x.shape[1]
    if taps.ndim == 2:
        return F.conv2d(x, taps.expand(channels, 1, -1, -1), stride=factor, groups=channels)
    kernel = taps.expand(channels, 1, 1, -1)
    x = F.conv2d(x, kernel.transpose(2, 3), stride=(factor, 1), groups=channels)
    return F.conv2d(x, kernel, stride=(1, factor), groups=channels)


def filtered_leaky_relu(
    x: Tensor, up_taps: Tensor, down_taps: Tensor, *, up: int, down: int, size: int, clamp: float | None
) -> Tensor:
    """Apply leaky ReLU at a higher sampling rate to avoid aliasing, (N, C, R, R) to (N, C, size, size).

    Args:
        x: Features, taken as zero beyond their border.
        up_taps: Taps of the upsampling filter, (T,).
        down_taps: Taps of the downsampling filter, (T,) or (T, T).
        up: Upsampling factor before the activation.
        down: Downsampling factor after it.
        size: Pixels to keep around the centre.
        clamp: Bound on the magnitude of activations; None for none.
    """
    x = upsample(x, up_taps, factor=up, size=between(size, len(down_taps), down))
    x = F.leaky_relu_(x, SLOPE)
    if clamp is not None:
        # This is the network's largest tensor: in place saves a copy, but autograd needs the values from before.
        x = x.clamp(-clamp, clamp) if x.requires_grad else x.clamp_(-clamp, clamp)
    return downsample(x, down_taps, factor=down)


def between(size: int, taps: int, factor: int) -> int:
    """Count the input pixels from which `downsample` makes `size` pixels."""
    return factor * (size - 1) + taps


def unused_border(size: int, taps: int, factor: int, wanted: int) -> int:
    """Count the border pixels of an input of `size` that do not reach the `wanted` central pixels of `upsample`."""
    crop = (factor * (size - 1) + taps - wanted) // 2
    return max(0, (crop - taps) // factor + 1)
