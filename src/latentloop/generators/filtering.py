"""Features as samples of band-limited signals: the filters of StyleGAN3 (Karras et al., arXiv:2106.12423)."""

import math

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.generators.mapping import SLOPE

NODES = 256
"""Nodes of the numerical integral of a Bessel function, whose arguments stay below 60 in the published networks."""


def lowpass(taps: int, *, cutoff: float, half_width: float, rate: float, radial: bool = False) -> Tensor:
    """Design a low-pass filter with a Kaiser window, its taps 1 in sum: (taps,), or (taps, taps) if radial, in float64.

    Args:
        taps: Length along an axis.
        cutoff: The frequency at which half the amplitude passes.
        half_width: Half the width of the transition band, beyond which nothing passes.
        rate: Taps for each unit of length.
        radial: Whether frequencies of the plane count by their length; otherwise by each axis, one after the other.
    """
    at = (np.arange(taps) - (taps - 1) / 2) / rate
    window = np.kaiser(taps, _kaiser_beta(2.285 * (taps - 1) * math.pi * 4 * half_width / rate + 7.95))
    if radial:
        kernel = _disc(2 * math.pi * cutoff * np.hypot(at[:, None], at)) * window[:, None] * window
    else:
        kernel = np.sinc(2 * cutoff * at) * window
    # Not torch.tensor: the filter has values even where a network is built without any, on the meta device.
    return torch.from_numpy(kernel / kernel.sum())


def _disc(x: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """What the sinc is to an interval, this is to a disc: J1(x) / x, but for a factor.

    By its integral, which converges once there are more nodes than x: torch.special.bessel_j1 is right to seven digits
    only, and not defined at 0.
    """
    angle = np.arange(1, NODES) * (math.pi / NODES)
    return np.asarray(np.cos(x[..., None] * np.cos(angle)) @ np.sin(angle) ** 2)


def _kaiser_beta(attenuation: float) -> float:
    """Kaiser's choice for an attenuation of the stop band in dB."""
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    above = max(attenuation - 21, 0.0)
    return 0.5842 * math.pow(above, 0.4) + 0.07886 * above


def upsample(x: Tensor, taps: Tensor, *, factor: int, size: int) -> Tensor:
    """Interpolate features (N, C, R, R), zero beyond their border, as (N, C, size, size).

    Args:
        x: Features.
        taps: Taps of the filter of each axis, (T,).
        factor: Between the sampling rates.
        size: How much to keep, from the middle, of the factor * (R - 1) + T pixels that the filter reaches. Of an odd
            number of pixels to drop, the end has one more.
    """
    surplus = factor * (x.shape[-1] - 1) + len(taps) - size
    crop, channels = max(surplus // 2, 0), x.shape[1]
    kernel = (factor * taps).expand(channels, 1, 1, -1)
    x = F.conv_transpose2d(x, kernel, stride=(1, factor), padding=(0, crop), groups=channels)
    x = F.conv_transpose2d(x, kernel.transpose(2, 3), stride=(factor, 1), padding=(crop, 0), groups=channels)
    lacking = (crop - surplus // 2, crop - (surplus - surplus // 2))
    return F.pad(x, lacking * 2) if any(lacking) else x


def downsample(x: Tensor, taps: Tensor, *, factor: int) -> Tensor:
    """Filter features (N, C, R, R) and keep every `factor`-th pixel of those whose surroundings lie within.

    Args:
        x: Features.
        taps: Taps of the filter of each axis, (T,), or of the plane, (T, T).
        factor: Between the sampling rates.
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
    """Apply leaky ReLU at a higher sampling rate, so that it does not alias: (N, C, R, R) to (N, C, size, size).

    Args:
        x: Features, zero beyond their border.
        up_taps: Taps of the filter of the upsampling, (T,).
        down_taps: Taps of the filter of the downsampling, (T,) or (T, T).
        up: The rate there, in units of that of `x`.
        down: The same, in units of the result's.
        size: How much to keep, from the middle.
        clamp: Where activations are cut off on either side of 0, if at all.
    """
    x = upsample(x, up_taps, factor=up, size=between(size, len(down_taps), down))
    x = F.leaky_relu_(x, SLOPE)
    if clamp is not None:
        # In place, the largest of all tensors is there once; but the gradient needs it as it was.
        x = x.clamp(-clamp, clamp) if x.requires_grad else x.clamp_(-clamp, clamp)
    return downsample(x, down_taps, factor=down)


def between(size: int, taps: int, factor: int) -> int:
    """Count the pixels that `downsample` needs to give `size` of them."""
    return factor * (size - 1) + taps


def unused_border(size: int, taps: int, factor: int, wanted: int) -> int:
    """Count the outermost pixels of `size`, on each side, that do not influence the `wanted` ones of `upsample`."""
    crop = (factor * (size - 1) + taps - wanted) // 2
    return max(0, (crop - taps) // factor + 1)
