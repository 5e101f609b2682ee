"""Masks of the regions that an edit has changed, in NumPy, as in `latentloop.faces.change`."""

import numpy as np

from latentloop.faces.config import CHANGE_SIZE, FULL, NONE, REACH, SOFT
from latentloop.runtime.area import sums_of
from latentloop.runtime.arrays import Floats, resample

NEAR = 5
"""Side of the window over which differences are averaged, odd, in pixels."""


def changed(before: Floats, after: Floats) -> Floats:
    """Compute a soft mask of the changed region of a face, (128, 128), from 0 (unchanged) to 1 (changed).

    Args:
        before: Image of the code before the edit, (1, 3, S, S) in [-1, 1].
        after: Image of the edited code, of the same shape and range.
    """
    difference = np.abs(resample(after, CHANGE_SIZE) - resample(before, CHANGE_SIZE))[0].mean(axis=0)
    share = ((local_mean(difference, NEAR) - NONE) / (FULL - NONE)).clip(0, 1)
    soft = local_mean(_local_maximum(share, REACH), SOFT)
    return soft * soft * (3 - 2 * soft)  # smoothstep


def local_mean(values: Floats, size: int) -> Floats:
    """Compute the moving average of values (H, W) over squares; positions beyond the border are left out.

    Args:
        values: Values, (H, W).
        size: Side of the squares, odd.
    """
    height, width = values.shape
    (sums,) = sums_of(values[None], np.float64)
    top, bottom = _ends(height, size)
    left, right = _ends(width, size)
    rows = sums[bottom] - sums[top]
    count = (bottom - top)[:, None] * (right - left)
    means: Floats = ((rows[:, right] - rows[:, left]) / count).astype(np.float32)
    return means


def _ends(length: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    place, reach = np.arange(length), size // 2
    return (place - reach).clip(0), (place + reach + 1).clip(None, length)


def _local_maximum(values: Floats, size: int) -> Floats:
    """Largest value of (H, W) in a square around each position."""
    for axis in (0, 1):
        pads = [(0, 0), (0, 0)]
        pads[axis] = (size // 2, size // 2)
        padded = np.pad(values, pads, constant_values=-np.inf)
        values = np.lib.stride_tricks.sliding_window_view(padded, size, axis=axis).max(axis=-1)
    return values
