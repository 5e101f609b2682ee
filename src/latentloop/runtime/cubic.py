"""Bicubic sampling at arbitrary positions of an image (Keys 1981, with PyTorch's a = -0.75)."""

import numpy as np
import numpy.typing as npt

from latentloop.runtime.arrays import Floats

A = np.float32(-0.75)
"""Slope of the cubic kernel at a distance of one pixel."""
CHUNK = 1 << 13
"""Positions that are sampled together, so that intermediate results fit into the processor's cache."""


class Bicubic:
    """A bicubic sampler of one image.

    Results equal those of `torch.nn.functional.grid_sample` in bicubic mode with padding_mode="border", up to rounding.
    """

    def __init__(self, image: Floats) -> None:
        """Prepare an image (C, H, W), which is continued beyond its border by its outermost pixels."""
        self.channels, self.height, self.width = image.shape
        # Rows of 4 or 8 numbers are aligned in memory, and faster to read than rows of 3 or 6.
        self._table = np.zeros((self.height * self.width, -(-self.channels // 4) * 4), np.float32)
        self._table[:, : self.channels] = image.reshape(self.channels, -1).T

    def at(self, places: Floats) -> Floats:
        """Sample the image at P positions, to (P, C).

        Args:
            places: Positions (x, y) as fractions of the image's width and height, (P, 2); 0 is the first pixel's outer
                edge.
        """
        found = np.empty((len(places), self.channels), np.float32)
        for i in range(0, len(places), CHUNK):
            found[i : i + CHUNK] = self._sampled(places[i : i + CHUNK])[:, : self.channels]
        return found

    def _sampled(self, places: Floats) -> Floats:
        columns, across = _taps(places[:, 0], self.width)
        rows, down = _taps(places[:, 1], self.height)
        total = np.zeros((len(places), self._table.shape[1]), np.float32)
        # Weights are repeated for each channel: products of equal shapes are several times faster than broadcasting.
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
    """The four pixels along an axis that each position uses, and their weights, both (4, P)."""
    place = fractions * np.float32(length) - np.float32(0.5)  # 0 at the centre of the first pixel
    first = np.floor(place)
    t = place - first
    # Clipped indices continue the border, as padding_mode="border" does.
    pixels = (first.astype(np.int64) + np.arange(-1, 3)[:, None]).clip(0, length - 1)
    return pixels, np.stack([_outer(t + 1), _inner(t), _inner(1 - t), _outer(2 - t)])


def _inner(x: Floats) -> Floats:
    """Weight of a pixel at distance x, from 0 to 1."""
    return ((A + 2) * x - (A + 3)) * x * x + 1


def _outer(x: Floats) -> Floats:
    """Weight of a pixel at distance x, from 1 to 2."""
    return ((A * x - 5 * A) * x + 8 * A) * x - 4 * A
