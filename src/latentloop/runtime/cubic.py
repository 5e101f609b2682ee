"""Bicubic samples at any places of an image (Keys, 1981, with a = -0.75 as PyTorch has it)."""

import numpy as np
import numpy.typing as npt

from latentloop.runtime.arrays import Floats

A = np.float32(-0.75)
"""Slope of the cubic at a distance of one pixel."""
CHUNK = 1 << 13
"""Places that are sampled together, so that all between fits a processor's cache."""


class Bicubic:
    """An image to be sampled at any places.

    Samples are what `torch.nn.functional.grid_sample` gives in bicubic mode with padding_mode="border".
    """

    def __init__(self, image: Floats) -> None:
        """Take up an image (C, H, W); beyond its border it is continued by its outermost pixels."""
        self.channels, self.height, self.width = image.shape
        # Rows of 4 or 8 numbers are aligned: reading them takes less time than rows of 3 or 6.
        self._table = np.zeros((self.height * self.width, -(-self.channels // 4) * 4), np.float32)
        self._table[:, : self.channels] = image.reshape(self.channels, -1).T

    def at(self, places: Floats) -> Floats:
        """Sample at P places, to (P, C).

        Args:
            places: (x, y) as fractions of the image's width and height, (P, 2): 0 is the first pixel's outer edge.
        """
        found = np.empty((len(places), self.channels), np.float32)
        for i in range(0, len(places), CHUNK):
            found[i : i + CHUNK] = self._sampled(places[i : i + CHUNK])[:, : self.channels]
        return found

    def _sampled(self, places: Floats) -> Floats:
        columns, across = _taps(places[:, 0], self.width)
        rows, down = _taps(places[:, 1], self.height)
        total = np.zeros((len(places), self._table.shape[1]), np.float32)
        # Weights beside each number: products of equal shapes are several times faster than broadcast ones.
        across, down = (np.broadcast_to(one[:, :, None], (4, *total.shape)).copy() for one in (across, down))
        line, tap = np.empty_like(total), np.empty_like(total)
        for row, weight in zip(rows * self.width, down, strict=True):
            line[:] = 0
            for column, share in zip(columns, across, strict=True):
                np.take(self._table, row + column, axis=0, out=tap, mode="clip")
                tap *= share
                line += tap
            line *= weight
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
