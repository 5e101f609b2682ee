"""Smoothing over the frames of a video, so that a face does not tremble when it is cut out, edited and put back."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from latentloop.errors import UserError


def smooth_quads(quads: Sequence[Tensor | None], sigma: float, *, axis_sigma: float | None = None) -> Tensor:
    """Smooth where a face is in each frame, (F, 4, 2) float64: its middle and its axis, so that squares stay squares.

    After STIT (Tzaban et al., arXiv:2201.08361), whose code smooths the middle less than the axis: 1 frame and 3.

    Args:
        quads: One frame's each, (4, 2); None or NaN where no face was found, which is filled in from the nearest
            frames on both sides, or on the only side there is.
        sigma: Of the middle's Gaussian, in frames; 0 leaves it as it is.
        axis_sigma: Of the size's and the angle's; None for the same.

    Raises:
        UserError: No frame has a face.
    """
    missing = torch.full((4, 2), torch.nan, dtype=torch.float64)
    known = _filled(torch.stack([missing if quad is None else quad.detach().cpu().double() for quad in quads]))
    middle = _smoothed(known.mean(dim=1), sigma)
    x = _smoothed((known[:, 3] - known[:, 0]) / 2, sigma if axis_sigma is None else axis_sigma)
    y = torch.stack([-x[:, 1], x[:, 0]], dim=1)
    return torch.stack([middle - x - y, middle - x + y, middle + x + y, middle + x - y], dim=1)


def smooth_codes(codes: Tensor, sigma: float) -> Tensor:
    """Smooth the codes of a video's frames, (F, num_ws, w_dim), by a Gaussian of `sigma` frames; 0 changes nothing."""
    return _smoothed(codes, sigma)


def interpolate_frames(values: Tensor, at: Tensor, count: int) -> Tensor:
    """Values of all frames, (count, ...), from those of some: linear between two, constant before and after them.

    Args:
        values: (K, ...), one at least.
        at: Their frames, (K,) integers, ascending.
        count: How many frames there are.
    """
    frames = torch.arange(count)
    after = torch.searchsorted(at, frames).clamp_max(len(at) - 1)
    before = (torch.searchsorted(at, frames, right=True) - 1).clamp_min(0)
    way = ((frames - at[before]) / (at[after] - at[before]).clamp_min(1)).clamp(0, 1).to(values)
    return values[before].lerp(values[after], way.reshape(-1, *[1] * (values.ndim - 1)))


def jitter(codes: Tensor) -> float:
    """How much codes (F, num_ws, w_dim) tremble: the mean norm of their second differences, in units of W.

    0 for a steady change and for fewer than three frames. Second differences, since a head that turns is no flicker.
    """
    change = codes.detach().double().diff(dim=0).diff(dim=0)
    return float(change.flatten(1).norm(dim=1).mean()) if len(change) else 0.0


def _filled(quads: Tensor) -> Tensor:
    """Interpolate linearly in time where quads (F, 4, 2) are NaN; before the first and after the last, repeat them."""
    found = torch.nonzero(quads.isfinite().all(dim=(1, 2)))[:, 0]
    if not len(found):
        raise UserError("no face found in any frame; is it large and upright?")
    return interpolate_frames(quads[found], found, len(quads))


def _smoothed(values: Tensor, sigma: float) -> Tensor:
    """Gaussian over the first axis of (F, ...), mirrored past its ends, each end met twice."""
    if not 0 <= sigma < math.inf:
        raise ValueError(f"sigma must be 0 or more, got {sigma}")
    radius, count = int(4 * sigma + 0.5), len(values)
    if not radius or not count:
        return values.clone()
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (offsets.double() / sigma).square())
    smoothed = torch.zeros_like(values)
    for offset, weight in zip(offsets.tolist(), (weights / weights.sum()).tolist(), strict=True):
        index = torch.arange(offset, count + offset, device=values.device).remainder(2 * count)
        smoothed += weight * values[torch.minimum(index, 2 * count - 1 - index)]
    return smoothed
