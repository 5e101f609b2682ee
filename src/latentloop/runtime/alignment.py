"""FFHQ's face alignment in NumPy, with the results of `latentloop.faces.alignment`, which defines a quad.

Photos are uint8 here; only the part around a quad is converted to floating-point numbers.
"""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from latentloop.faces.config import DENSE, SUPERSAMPLING
from latentloop.pixels import Pixels
from latentloop.runtime.arrays import Doubles, Floats, Numbers, resize, to_image

AFFINE = Image.Transform.AFFINE
"""Pillow's constant for an affine transform."""
BLOCK = 128
"""Rows of an image that are blurred together."""


def ffhq_quad(landmarks: Numbers) -> Doubles:
    """Compute FFHQ's quad of a face from its landmarks.

    Args:
        landmarks: Left and right eye, nose, left and right mouth corner, (x, y) in pixels, (5, 2).

    Returns:
        Corners top left, bottom left, bottom right and top right, (4, 2).
    """
    left_eye, right_eye, _, left_mouth, right_mouth = landmarks.astype(np.float64)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    between_eyes, eyes_to_mouth = right_eye - left_eye, mouth - eyes
    x = between_eyes - _rotated(eyes_to_mouth)
    # The constants 2, 1.8 and 0.1 are FFHQ's; x is half a side of the quad.
    x *= max(2.0 * np.linalg.norm(between_eyes), 1.8 * np.linalg.norm(eyes_to_mouth)) / np.linalg.norm(x)
    y = _rotated(x)
    centre = eyes + 0.1 * eyes_to_mouth
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def full_quad(width: int) -> Doubles:
    """Return the quad that covers a whole square image, (4, 2)."""
    low, high = -0.5, width - 0.5  # (0, 0) is the centre of the first pixel
    return np.array([[low, low], [low, high], [high, high], [high, low]])


def crop_quad(photo: Pixels, quad: Doubles, size: int) -> Floats:
    """Crop a quad out of a photo as FFHQ does, to (1, 3, size, size) in [-1, 1].

    Outside the photo, the crop shows the photo's mirror image, which is blurred and faded to the median colour with the
    distance.

    Args:
        photo: Pixels (H, W, 3) in 0..255.
        quad: Corners top left, bottom left, bottom right and top right, (4, 2); they may lie outside the photo.
        size: Side of the crop, in pixels.
    """
    height, width = photo.shape[:2]
    # As in FFHQ, a large photo is shrunk by an integer factor first, to no less than twice the output's scale.
    shrink = max(int(side_of(quad) / size / 2), 1)
    if shrink > 1:
        height, width = (round(n / shrink) for n in photo.shape[:2])
        quad = quad / shrink
    part, quad = _crop_and_pad(photo, (height, width), quad)
    fine = size * min(SUPERSAMPLING, math.ceil(DENSE * side_of(quad) / size))
    return _sampled(part, quad, fine, size).clip(-1, 1)


def side_of(quad: Doubles) -> float:
    """Return the length of a quad's upper side, in pixels."""
    return float(np.linalg.norm(quad[3] - quad[0]))


def _rotated(vector: Doubles) -> Doubles:
    """A vector (x, y) rotated by 90 degrees, so that one to the right points down."""
    return np.array([-vector[1], vector[0]])


def _sampled(image: Floats, quad: Doubles, fine: int, size: int) -> Floats:
    """A quad of an image (1, 3, H, W), sampled bilinearly at fine x fine points, then shrunk to (1, 3, size, size)."""
    top_left, bottom_left, _, top_right = quad
    right, down = (top_right - top_left) / fine, (bottom_left - top_left) / fine
    # In Pillow's coordinates the centre of the first pixel is at 0.5, in input and output.
    affine = (right[0], down[0], top_left[0] + 0.5, right[1], down[1], top_left[1] + 0.5)
    sampled = np.empty((1, 3, size, size), np.float32)
    for i, plane in enumerate(image[0]):
        samples = Image.fromarray(plane).transform((fine, fine), AFFINE, affine, Image.Resampling.BILINEAR)
        sampled[0, i] = np.asarray(samples.resize((size, size), Image.Resampling.BICUBIC))
    return sampled


def _crop_and_pad(photo: Pixels, size: tuple[int, int], quad: Doubles) -> tuple[Floats, Doubles]:
    """The part around the quad of a photo that is shrunk to `size` (height, width), and the quad in its pixels."""
    height, width = size
    side = side_of(quad)
    # The constants 0.1, 3, 4, 0.3 and 0.02 are FFHQ's.
    border = max(round(0.1 * side), 3)
    left, top = (int(n) - border for n in np.floor(quad.min(axis=0)))
    right, bottom = (int(n) + border for n in np.ceil(quad.max(axis=0)))
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    part, quad = _shrunk(photo, size, (x0, y0, x1, y1)), quad - [x0, y0]
    outside = [x0 - left, y0 - top, right - x1, bottom - y1]
    if max(outside) <= border - 4:
        return part, quad
    pads = [max(n, round(0.3 * side)) for n in outside]
    return _faded(_mirrored(part, pads), pads, blur=0.02 * side), quad + pads[:2]


def _shrunk(photo: Pixels, size: tuple[int, int], box: tuple[int, int, int, int]) -> Floats:
    """A part of a photo shrunk to `size` (height, width), (1, 3, h, w); `box` is in the shrunk photo's pixels."""
    x0, y0, x1, y1 = box
    if size == photo.shape[:2]:
        return to_image(photo[y0:y1, x0:x1])
    across, down = photo.shape[1] / size[1], photo.shape[0] / size[0]
    reach = math.ceil(max(across, down)) + 1  # half the width of the resize filter, in the photo's pixels
    left, top = max(math.floor(x0 * across) - reach, 0), max(math.floor(y0 * down) - reach, 0)
    seen = photo[top : math.ceil(y1 * down) + reach, left : math.ceil(x1 * across) + reach]
    place = (x0 * across - left, y0 * down - top, x1 * across - left, y1 * down - top)
    return resize(to_image(seen), y1 - y0, x1 - x0, box=place)


def _mirrored(image: Floats, pads: list[int]) -> Floats:
    left, top, right, bottom = pads
    rows = _mirror_indices(image.shape[-2], top, bottom)
    columns = _mirror_indices(image.shape[-1], left, right)
    mirrored: Floats = image[:, :, rows[:, None], columns]
    return mirrored


def _mirror_indices(length: int, before: int, after: int) -> npt.NDArray[np.int64]:
    period = max(2 * (length - 1), 1)  # the mirror does not repeat the outermost pixel
    index = np.arange(-before, length + after) % period
    return np.minimum(index, period - index)


def _faded(image: Floats, pads: list[int], blur: float) -> Floats:
    """The image with its padding blurred and faded to the median colour, increasingly with distance from the photo."""
    left, top, right, bottom = pads
    height, width = image.shape[-2:]
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    # 1 at the outer edge of the padding, 0 where the photo begins, negative inside it.
    distance_x = 1 - np.minimum(x / np.float32(left), (width - 1 - x) / np.float32(right))
    distance_y = 1 - np.minimum(y / np.float32(top), (height - 1 - y) / np.float32(bottom))
    distance = np.maximum(distance_x, distance_y)
    image = image + (_blurred(image, blur) - image) * (3 * distance + 1).clip(0, 1)
    middle = (height * width - 1) // 2  # index of the median, the lower one of two, as in torch.median
    flat = np.partition(image.reshape(1, 3, -1), middle, axis=2)
    faded: Floats = image + (flat[:, :, middle, None, None] - image) * distance.clip(0, 1)
    return faded


def _blurred(image: Floats, sigma: float) -> Floats:
    radius = round(4 * sigma)  # beyond 4 sigma a Gaussian is negligible
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    wide = _mirrored(image, [radius] * 4)
    across = _filtered(wide.swapaxes(2, 3), kernel).swapaxes(2, 3)
    return _filtered(across, kernel)


def _filtered(image: Floats, kernel: Floats) -> Floats:
    """Columns of images (N, C, H, W) filtered to (N, C, H - K + 1, W), by products with banded matrices."""
    # A matrix product is far faster in NumPy than a sum over the kernel's taps.
    length = image.shape[2] - len(kernel) + 1
    band = np.zeros((BLOCK, BLOCK + len(kernel) - 1), np.float32)
    for row in range(BLOCK):
        band[row, row : row + len(kernel)] = kernel
    parts = []
    for i in range(0, length, BLOCK):
        rows = min(BLOCK, length - i)
        parts.append(band[:rows, : rows + len(kernel) - 1] @ image[:, :, i : i + rows + len(kernel) - 1])
    return np.concatenate(parts, axis=2)
