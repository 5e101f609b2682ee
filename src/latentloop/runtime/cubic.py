"""Bicubic samples at any places of an image (Keys, 1981, with a = -0.75 as PyTorch has it)."""

import numpy as np
import numpy.typing as npt

from latentloop.runtime.arrays import Floats

A = np.float32(-0.75)
"""Slope of the cubic at a distance of one pixel."""
CHUNK = 1 << 14
"""Places that are sampled together, so that all between fits a processor's cache."""


def bicubic_at(image: Floats, places: Floats) -> Floats:
    """Sample an image (C, H, W) at P places, to (P, C).

    It is what `torch.nn.functional.grid_sample` gives in bicubic mode with padding_mode="border".

    Args:
        image: The image; beyond its border it is continued by its outermost pixels.
        places: (x, y) as fractions of its width and height, (P, 2): 0 is the first pixel's outer edge.
    """
    channels, height, width = image.shape
    # Rows of 8 numbers are aligned: reading them takes less time than rows of 6.
    table = np.zeros((height * width, -(-channels // 4) * 4), np.float32)
    table[:, :channels] = image.reshape(channels, -1).T
    found = np.empty((len(places), channels), np.float32)
    for i in range(0, len(places), CHUNK):
        found[i : i + CHUNK] = _sampled(table, height, width, places[i : i + CHUNK])[:, :channels]
    return found


def _sampled(table: Floats, height: int, width: int, places: Floats) -> Floats:
    columns, across = _taps(places[:, 0], width)
    rows, down = _taps(places[:, 1], height)
    total = np.zeros((len(places), table.shape[1]), np.float32)
    line, tap = np.empty_like(total), np.empty_like(total)
    for row, weight in zip(rows * width, down, strict=True):
        line[:] = 0
        for column, share in zip(columns, across, strict=True):
            np.take(table, row + column, axis=0, out=tap, mode="clip")
            tap *= share[:, None]
            line += tap
        line *= weight[:, None]
        total += line
    return total


def _taps(fractions: Floats, length: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """The four pixels along an axis that places look at, and their weights, both (4, P)."""
    place = fractions * np.float32(length) - np.float32(0.5)
    first = np.floor(place)
    t = place - first
    pixels = (first.astype(np.int64) + np.arange(-1, 3)[:, None]).clip(0, length - 1)
    return pixels, np.stack([_outer(t + 1), _inner(t), _inner(1 - t), _outer(2 - t)])


def _inner(x: Floats) -> Floats:
    """Weight of a pixel at a distance of 0 to 1."""
    return ((A + 2) * x - (A + 3)) * x * x + 1


def _outer(x: Floats) -> Floats:
    """Weight of a pixel at a distance of 1 to 2."""
    return ((A * x - 5 * A) * x + 8 * A) * x - 4 * A
