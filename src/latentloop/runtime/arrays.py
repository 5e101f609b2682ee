"""Images as NumPy arrays: uint8 pixels as in files, and float32 images as networks take them."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from latentloop.pixels import Pixels

Floats = npt.NDArray[np.float32]
"""Images (N, 3, H, W) in [-1, 1], codes (N, num_ws, w_dim) and other inputs and outputs of networks."""
Doubles = npt.NDArray[np.float64]
"""Positions in photos, (x, y) in pixels, such as quads (4, 2)."""
Numbers = npt.NDArray[np.floating[Any]]
"""Floating-point numbers of any precision."""


def to_image(pixels: Pixels) -> Floats:
    """Convert pixels (H, W, 3) in 0..255 to an image (1, 3, H, W) in [-1, 1]."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]).astype(np.float32) / np.float32(127.5) - np.float32(1)


def to_pixels(image: Floats) -> Pixels:
    """Convert an image (1, 3, H, W) in [-1, 1] to pixels (H, W, 3) in 0..255, clamped and rounded."""
    levels = (image[0].clip(-1, 1) + 1) * np.float32(127.5)
    return np.ascontiguousarray(levels.round().astype(np.uint8).transpose(1, 2, 0))


def resize(
    image: Floats,
    height: int,
    width: int,
    *,
    bicubic: bool = False,
    box: tuple[float, float, float, float] | None = None,
) -> Floats:
    """Resize images (N, 3, H, W) with an antialiased filter, to (N, 3, height, width).

    Results equal those of `torch.nn.functional.interpolate` with `antialias=True`, up to rounding.

    Args:
        image: Images, (N, 3, H, W).
        height: New height, in pixels.
        width: New width, in pixels.
        bicubic: Use Keys' cubic filter (a = -0.5) instead of the triangle filter of bilinear interpolation.
        box: Part to resize: left, top, right and bottom in pixels; None for all. The filter also sees pixels around it.
    """
    kind = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    planes = [Image.fromarray(plane) for plane in np.ascontiguousarray(image).reshape(-1, *image.shape[-2:])]
    resized = [np.asarray(plane.resize((width, height), kind, box=box)) for plane in planes]
    return np.stack(resized).reshape(*image.shape[:-2], height, width)


def resample(image: Floats, resolution: int) -> Floats:
    """Resize square images (N, 3, S, S) to (N, 3, resolution, resolution).

    If the resolution divides S, pixels are area averages; otherwise see `resize`.
    """
    factor, remainder = divmod(image.shape[-1], resolution)
    if not factor or remainder:
        return resize(image, resolution, resolution)
    if factor == 1:
        return image
    cells: Floats = image.reshape(*image.shape[:-2], resolution, factor, resolution, factor).mean(axis=(-3, -1))
    return cells
