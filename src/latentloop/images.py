"""Reading and writing of images, which are float RGB, (N, 3, H, W) in [-1, 1], inside the package."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from latentloop.defaults import MAX_PIXELS
from latentloop.files import replacing
from latentloop.options import check_kind, check_path, is_whole
from latentloop.pixels import COMMENT as COMMENT
from latentloop.pixels import DECODING_ERRORS as DECODING_ERRORS
from latentloop.pixels import FORMATS as FORMATS
from latentloop.pixels import LONGEST_SIDE as LONGEST_SIDE
from latentloop.pixels import (
    WHITE,
    check_pixels,
    decode_pixels,
    encode_jpeg,
    encode_png,
    pillow_pixels,
    read_pixels,
)
from latentloop.pixels import Pixels as Pixels
from latentloop.pixels import check_sides as check_sides
from latentloop.pixels import endings as endings
from latentloop.pixels import photo_suffixes as photo_suffixes


def check_images(images: object, *, name: str = "image") -> None:
    """Raise a ValueError unless a value is a batch of images, (N, 3, H, W) in floating-point numbers.

    Args:
        images: Value to check.
        name: Name of the argument, for the message.
    """
    if not isinstance(images, Tensor):
        raise ValueError(f"{name} must be a tensor (N, 3, H, W) in [-1, 1], got a {type(images).__name__}")
    if images.ndim != 4 or images.shape[1] != 3 or not images[0].numel() or not images.is_floating_point():
        got = f"{tuple(images.shape)} of {images.dtype}"
        raise ValueError(f"{name} must be (N, 3, H, W) in floating-point numbers in [-1, 1], got {got}")


def check_alike(image: Tensor, target: Tensor) -> None:
    """Raise a ValueError unless images and targets are batches of one shape, (N, 3, H, W) in floating-point numbers.

    Without it, images would be compared with a batch of one by broadcasting, and 8-bit levels taken for [-1, 1].
    """
    check_images(image)
    check_images(target, name="target")
    if image.shape != target.shape:
        raise ValueError(f"image and target must have one shape, got {tuple(image.shape)} and {tuple(target.shape)}")


def read_image(path: Path | str, *, max_pixels: int = MAX_PIXELS, background: Sequence[int] = WHITE) -> Tensor:
    """Read an image file of one of `FORMATS` as RGB, (1, 3, H, W) in [-1, 1], upright.

    Of animations the first frame is read. 16-bit grey is scaled to the range, not clipped.

    Args:
        path: Image file.
        max_pixels: Largest number of pixels; a small file can claim a huge image.
        background: RGB in 0..255 under transparent pixels.

    Raises:
        UserError: The file is missing, cannot be read, is empty, a pipe, not an image, truncated, or larger than
            `max_pixels` or `LONGEST_SIDE`.
    """
    return from_uint8(read_pixels(path, max_pixels=max_pixels, background=background))


def decode_image(
    content: bytes, name: str, *, max_pixels: int = MAX_PIXELS, background: Sequence[int] = WHITE
) -> Tensor:
    """Decode the content of an image file to RGB, (1, 3, H, W) in [-1, 1], upright.

    Args:
        content: Bytes of the file, in one of `FORMATS`.
        name: Name of the image, for error messages.
        max_pixels: Largest number of pixels.
        background: RGB in 0..255 under transparent pixels.

    Raises:
        UserError: The content is empty, not an image, truncated, or larger than `max_pixels` or `LONGEST_SIDE`.
        ValueError: `max_pixels` or `background` is out of range.
    """
    return from_uint8(decode_pixels(content, name, max_pixels=max_pixels, background=background))


def from_pillow(image: Image.Image, *, background: Sequence[int] = WHITE) -> Tensor:
    """Convert a Pillow image to RGB, (1, 3, H, W) in [-1, 1], upright according to its EXIF data.

    Raises:
        UserError: Its pixels are floating-point numbers, which have no fixed range.
        ValueError: The image has no pixels.
    """
    return from_uint8(pillow_pixels(image, background=background))


def write_png(path: Path | str, image: Tensor, *, profile: bytes | None = None, comment: str | None = None) -> None:
    """Write an image (3, H, W) or (1, 3, H, W) in [-1, 1] as 8-bit PNG, atomically.

    Args:
        path: File to write.
        image: Image; values outside the range are clamped.
        profile: ICC profile of its colours; None for sRGB.
        comment: Text to store in the file.

    Raises:
        UserError: The file cannot be written.
        ValueError: `image` is not a single image of floating-point numbers.
    """
    check_path(path)
    content = png_bytes(image, profile=profile, comment=comment)
    with replacing(Path(path)) as part:
        part.write_bytes(content)


def png_bytes(image: Tensor, *, profile: bytes | None = None, comment: str | None = None) -> bytes:
    """Encode an image (3, H, W) or (1, 3, H, W) in [-1, 1] as the bytes that `write_png` writes.

    Raises:
        ValueError: `image` is not a single image of floating-point numbers.
    """
    if not isinstance(image, Tensor) or not image.is_floating_point():
        got = image.dtype if isinstance(image, Tensor) else type(image).__name__
        raise ValueError(f"image must be a tensor of floating-point numbers in [-1, 1], got {got}; see from_uint8")
    if image.shape[:-2] not in ((3,), (1, 3)):
        raise ValueError(f"image must be (3, H, W) or (1, 3, H, W), got {tuple(image.shape)}; write them one by one")
    return encode_png(to_uint8(image.reshape(3, *image.shape[-2:])), profile=profile, comment=comment)


def jpeg_bytes(image: Tensor, *, quality: int = 90, comment: str = "") -> bytes:
    """Encode an image (3, H, W) or (1, 3, H, W) in [-1, 1] as JPEG, with a comment in its header.

    Raises:
        ValueError: `quality` is not from 1 to 95.
    """
    return encode_jpeg(to_uint8(image.reshape(3, *image.shape[-2:])), quality=quality, comment=comment)


def as_jpeg(image: Tensor, *, quality: int) -> Tensor:
    """Compress an image (1, 3, H, W) in [-1, 1] as JPEG, and decode it again."""
    with Image.open(io.BytesIO(jpeg_bytes(image, quality=quality))) as compressed:
        return from_uint8(np.array(compressed)).to(image)


def from_uint8(pixels: Pixels) -> Tensor:
    """Convert pixels (H, W, 3) in 0..255 to an image (1, 3, H, W) in [-1, 1].

    Raises:
        ValueError: The pixels have another shape or type.
    """
    check_pixels(pixels)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float().div_(127.5).sub_(1)


def to_uint8(image: Tensor) -> Pixels:
    """Convert an image (3, H, W) in [-1, 1] to pixels (H, W, 3) in 0..255, clamped and rounded.

    Raises:
        ValueError: The image has another shape, or is not of floating-point numbers.
    """
    if image.ndim != 3 or len(image) != 3 or not image.is_floating_point():
        got = f"{tuple(image.shape)} of {image.dtype}"
        raise ValueError(f"image must be (3, H, W) in floating-point numbers in [-1, 1], got {got}")
    pixels = (image.detach().clamp(-1, 1) + 1) * 127.5
    return pixels.round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()


def check_size(name: str, size: int) -> None:
    """Raise a ValueError unless a number of pixels is a whole number, 1 or more."""
    if not is_whole(size) or size < 1:
        raise ValueError(f"{name} must be a whole number of pixels, 1 or more, got {size!r:.100}")


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Resize images (N, 3, H, W) with an antialiased bilinear filter, as Pillow's, to (N, 3, height, width).

    Raises:
        ValueError: A size is not a whole number, or below 1.
    """
    check_size("height", height)
    check_size("width", width)
    return F.interpolate(image, (height, width), mode="bilinear", antialias=True, align_corners=False)


def resample(image: Tensor, resolution: int) -> Tensor:
    """Resize square images (N, 3, S, S) to (N, 3, resolution, resolution).

    If the resolution divides S, pixels are area averages, as in generators' coarser images; otherwise see `resize`.

    Raises:
        ValueError: The resolution is not a whole number or below 1, or the images have another shape or type.
    """
    check_size("resolution", resolution)
    check_kind("images", image, Tensor, "a tensor (N, 3, S, S)")
    if image.ndim != 4 or not image.is_floating_point():
        got = f"{tuple(image.shape)} of {image.dtype}"
        raise ValueError(f"images must be (N, 3, S, S) in floating-point numbers, got {got}")
    factor, remainder = divmod(image.shape[-1], resolution)
    if factor and not remainder:
        return F.avg_pool2d(image, factor) if factor > 1 else image
    return resize(image, resolution, resolution)
