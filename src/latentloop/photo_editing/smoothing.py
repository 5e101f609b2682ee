"""Temporal smoothing of codes and quads, so that an edited face does not tremble in a video.

A quad is the square from which the face is cut out of a frame, (4, 2); a code is what a generator draws the face from,
(num_ws, w_dim).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from latentloop.errors import UserError


def smooth_quads(quads: Sequence[Tensor | None], sigma: float, *, axis_sigma: float | None = None) -> Tensor:
    """Smooth the quads of a video's frames, (F, 4, 2) float64; squares stay squares.

    The centre is smoothed separately from the axis, which holds size and angle, as in STIT (Tzaban et al.,
    arXiv:2201.08361), whose code uses 1 frame for the centre and 3 for the axis.

    Args:
        quads: Quad of each frame, (4, 2); None or NaN if no face was found. Such a frame is interpolated from the
            nearest frames on both sides, or copies the nearest one at the ends.
        sigma: Standard deviation of the centre's Gaussian, in frames; 0 does not smooth.
        axis_sigma: Standard deviation of the axis's Gaussian, in frames; None for `sigma`.

    Raises:
        UserError: No frame has a face.
    """
    missing = torch.full((4, 2), torch.nan, dtype=torch.float64)
    known = _filled(torch.stack([missing if quad is None else quad.detach().cpu().double() for quad in quads]))
    middle = _smoothed(known.mean(dim=1), sigma)
    x = _smoothed((known[:, 3] - known[:, 0]) / 2, sigma if axis_sigma is None else axis_sigma)
    # The vertical half axis is perpendicular to the horizontal one and as long: the result is a square again.
    y = torch.stack([-x[:, 1], x[:, 0]], dim=1)
    return torch.stack([middle - x - y, middle - x + y, middle + x + y, middle + x - y], dim=1)


def smooth_codes(codes: Tensor, sigma: float) -> Tensor:
    """Smooth the codes of a video's frames, (F, num_ws, w_dim), by a Gaussian of `sigma` frames; 0 does not smooth."""
    return _smoothed(codes, sigma)


def interpolate_frames(values: Tensor, at: Tensor, count: int) -> Tensor:
    """Interpolate values of some frames to all frames, (count, ...): linear between two, constant outside.

    Args:
        values: Values of K frames, (K, ...); K is 1 or more.
        at: Numbers of these frames, (K,) integers, ascending.
        count: Number of all frames.
    """
    frames = torch.arange(count)
    after = torch.searchsorted(at, frames).clamp_max(len(at) - 1)
    before = (torch.searchsorted(at, frames, right=True) - 1).clamp_min(0)
    way = ((frames - at[before]) / (at[after] - at[before]).clamp_min(1)).clamp(0, 1).to(values)
    return values[before].lerp(values[after], way.reshape(-1, *[1] * (values.ndim - 1)))


def jitter(codes: Tensor) -> float:
    """Measure the tremble of codes (F, num_ws, w_dim): mean norm of second differences, in units of W.

    It is 0 for a steady change, such as a head that turns, and for fewer than three frames.
    """
    change = codes.detach().double().diff(dim=0).diff(dim=0)
    return float(change.flatten(1).norm(dim=1).mean()) if len(change) else 0.0


def _filled(quads: Tensor) -> Tensor:
    """Interpolate quads (F, 4, 2) linearly in time where they are NaN; the ends repeat the nearest known one."""
    found = torch.nonzero(quads.isfinite().all(dim=(1, 2)))[:, 0]
    if not len(found):
        raise UserError("no face found in any frame; is it large enough, and seen from the front?")
    return interpolate_frames(quads[found], found, len(quads))


def _smoothed(values: Tensor, sigma: float) -> Tensor:
    """Apply a Gaussian over the first axis of (F, ...), mirrored at the ends with the edge value repeated."""
    if not 0 <= sigma < math.inf:
        raise ValueError(f"sigma must be 0 or more, got {sigma}")
    radius, count = int(4 * sigma + 0.5), len(values)  # SciPy's truncation at 4 standard deviations
    if not radius or not count:
        return values.clone()
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (offsets.double() / sigma).square())
    smoothed = torch.zeros_like(values)
    for offset, weight in zip(offsets.tolist(), (weights / weights.sum()).tolist(), strict=True):
        # Mirrored with period 2 * count: frame -1 is frame 0, frame `count` is frame count - 1.
        index = torch.arange(offset, count + offset, device=values.device).remainder(2 * count)
        smoothed += weight * values[torch.minimum(index, 2 * count - 1 - index)]
    return smoothed
