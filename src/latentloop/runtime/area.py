"""Area averages of many parts of one image from a summed-area table (Crow, SIGGRAPH 1984)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from latentloop.pixels import Pixels
from latentloop.runtime.arrays import Floats


@dataclass(frozen=True)
class AreaTable:
    """A summed-area table: the sums of all pixels above and to the left of each position.

    For uint8 pixels the sums are taken modulo 2^32; their differences are exact for parts of up to 16 million pixels.
    """

    sums: npt.NDArray[Any]
    """Sums of the levels 0 to 255, (3, H + 1, W + 1), uint32 or float64."""

    @classmethod
    def of_pixels(cls, pixels: Pixels) -> "AreaTable":
        """Compute the table of pixels (H, W, 3) in 0..255."""
        return cls(sums_of(pixels.transpose(2, 0, 1), np.uint32))

    @classmethod
    def of_image(cls, image: Floats) -> "AreaTable":
        """Compute the table of an image (1, 3, H, W) in [-1, 1]."""
        return cls(sums_of((image[0].astype(np.float64) + 1) * 127.5, np.float64))

    @property
    def height(self) -> int:
        """Height of the image, in pixels."""
        return int(self.sums.shape[1]) - 1

    @property
    def width(self) -> int:
        """Width of the image, in pixels."""
        return int(self.sums.shape[2]) - 1

    def resized(self, height: int, width: int) -> Floats:
        """Shrink the whole image to (1, 3, height, width) in [-1, 1]; cells overlap if the sizes do not divide."""
        whole = np.array([[0, 0, self.width, self.height]])
        return self.parts(whole, height, width)

    def parts(self, boxes: npt.NDArray[np.int64], height: int, width: int) -> Floats:
        """Resize parts of the image by area averages, to (B, 3, height, width) in [-1, 1].

        Args:
            boxes: Left, top, right and bottom of each part, in whole pixels within the image, (B, 4).
            height: Height of the results, in pixels.
            width: Width of the results, in pixels.
        """
        left, right = _cells(boxes[:, 0], boxes[:, 2], width)
        top, bottom = _cells(boxes[:, 1], boxes[:, 3], height)
        sums = self._at(bottom, right) - self._at(top, right) - self._at(bottom, left) + self._at(top, left)
        count = (bottom - top)[:, :, None] * (right - left)[:, None, :]
        means = sums.astype(np.float64) / (127.5 * count) - 1  # levels 0..255 to [-1, 1]
        return np.ascontiguousarray(means.swapaxes(0, 1), dtype=np.float32)

    def _at(self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        return self.sums[:, rows[:, :, None], columns[:, None, :]]


def sums_of(values: npt.NDArray[Any], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Compute the summed-area tables of planes (C, H, W), (C, H + 1, W + 1) in `dtype`."""
    planes, height, width = values.shape
    sums = np.zeros((planes, height + 1, width + 1), dtype)
    np.cumsum(values, axis=2, out=sums[:, 1:, 1:])
    for row in range(height):  # many times faster than np.cumsum along columns
        sums[:, row + 1] += sums[:, row]
    return sums


def _cells(
    start: npt.NDArray[np.int64], end: npt.NDArray[np.int64], count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First pixels and ends of `count` cells, (B, count), that cover the pixels from start to end, both (B,)."""
    length, number = (end - start)[:, None], np.arange(count)
    # Starts are rounded down and ends up, as in PyTorch's adaptive_avg_pool2d.
    return start[:, None] + number * length // count, start[:, None] - (-(number + 1) * length // count)
