"""Image files in and out. Inside the package images are float RGB, (N, 3, H, W) in [-1, 1]."""

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from latentloop.defaults import MAX_PIXELS
from latentloop.errors import UserError
from latentloop.files import refuse_no_file, replacing
from latentloop.options import check_kind, check_path, is_whole
from latentloop.pixel_limit import pixel_limit

Pixels = npt.NDArray[np.uint8]  # (H, W, 3), RGB in 0..255
# What photos come as. Not all that Pillow knows: for some formats it starts other programs.
FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
WHITE = (255, 255, 255)
LONGEST_SIDE = 65_535
"""Most pixels along a side, as in JPEG. Few bytes can claim more, and no photo has them."""
COMPRESSION = 2
"""Compression level of PNGs, 1 to 9. With 6 photos get a tenth smaller, and take four times as long."""
ROWS = 64
"""Rows of a picture that are converted at once."""
COMMENT = "Comment"
"""Keyword of a comment in a PNG, one of those that its specification names."""
# What Pillow's decoders are known to raise on damaged files.
DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    RuntimeError,  # AVIF; NotImplementedError is one
    struct.error,
    zlib.error,
)


def check_images(images: object, *, name: str = "image") -> None:
    """Raise a ValueError unless something is a batch of images, (N, 3, H, W) in floating-point numbers.

    Args:
        images: Anything.
        name: Name of the argument, for the message.
    """
    if not isinstance(images, Tensor):
        raise ValueError(f"{name} must be a tensor (N, 3, H, W) in [-1, 1], got a {type(images).__name__}")
    if images.ndim != 4 or images.shape[1] != 3 or not images[0].numel() or not images.is_floating_point():
        got = f"{tuple(images.shape)} of {images.dtype}"
        raise ValueError(f"{name} must be (N, 3, H, W) in floating-point numbers in [-1, 1], got {got}")


def photo_suffixes() -> frozenset[str]:
    """Endings of the files that `read_image` can read with this Pillow, lower-case, such as ".jpg"."""
    return frozenset(endings())


def endings() -> dict[str, str]:
    """Ending -> Pillow's name of the format."""
    return {ending: name for ending, name in Image.registered_extensions().items() if name in FORMATS}


def read_image(path: Path | str, *, max_pixels: int = MAX_PIXELS, background: Sequence[int] = WHITE) -> Tensor:
    """Read an image file of one of `FORMATS` as RGB, (1, 3, H, W) in [-1, 1], upright.

    Animations give their first frame. 16-bit grey is scaled to the range, not cut off.

    Args:
        path: The file.
        max_pixels: Images of more pixels are refused; a small file can claim a huge image.
        background: RGB in 0..255 under transparent pixels.

    Raises:
        UserError: The file is missing, cannot be read, is empty, a pipe, not an image, truncated, or larger than
            `max_pixels` or `LONGEST_SIDE`.
    """
    check_path(path)
    path = Path(path)
    refuse_no_file(path, what="an image")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read it: {error.strerror or error}") from error
    return decode_image(content, str(path), max_pixels=max_pixels, background=background)


def decode_image(
    content: bytes, name: str, *, max_pixels: int = MAX_PIXELS, background: Sequence[int] = WHITE
) -> Tensor:
    """Decode the content of an image file to RGB, (1, 3, H, W) in [-1, 1], upright.

    Args:
        content: The file's bytes, in one of `FORMATS`.
        name: Name of the image, with which error messages begin.
        max_pixels: Images of more pixels are refused.
        background: RGB in 0..255 under transparent pixels.

    Raises:
        UserError: The content is empty, not an image, truncated, or larger than `max_pixels` or `LONGEST_SIDE`.
        ValueError: `max_pixels` or `background` is out of range.
    """
    if max_pixels < 1 or len(background) != 3 or not all(0 <= level <= 255 for level in background):
        raise ValueError(f"max_pixels must be 1 or more, background RGB in 0..255, got {max_pixels} and {background}")
    if not content:
        raise UserError(f"{name}: the file is empty")
    with pixel_limit.of(max_pixels):
        try:
            with Image.open(io.BytesIO(content), formats=sorted(set(endings().values()))) as image:
                check_sides(name, *image.size)
                _check_first_frame(name, image)
                pixels = _rgb(name, ImageOps.exif_transpose(image), tuple(background))
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise UserError(f"{name}: more than {max_pixels:,} pixels", arguments="max_pixels") from error
        except UnidentifiedImageError as error:
            raise UserError(f"{name}: not an image that this Pillow can read; save it as JPEG or PNG") from error
        except DECODING_ERRORS as error:
            raise UserError(f"{name}: damaged or truncated image ({error})") from error
    return from_uint8(pixels)


def from_pillow(image: Image.Image, *, background: Sequence[int] = WHITE) -> Tensor:
    """Bring an image of Pillow to RGB, (1, 3, H, W) in [-1, 1], upright as its EXIF data says.

    Raises:
        UserError: Its pixels are floating-point numbers, which have no fixed range.
        ValueError: It has no pixels.
    """
    if not image.width * image.height:
        raise ValueError(f"an image must have pixels, got {image.width} x {image.height}")
    return from_uint8(_rgb("the image", ImageOps.exif_transpose(image), tuple(background)))


def write_png(path: Path | str, image: Tensor, *, profile: bytes | None = None, comment: str | None = None) -> None:
    """Write an image (3, H, W) or (1, 3, H, W) in [-1, 1] as 8-bit PNG; the file appears whole.

    Args:
        path: The file.
        image: The image; values outside the range are clamped.
        profile: ICC profile that says what its numbers mean; None for sRGB.
        comment: Text to keep in the file beside the image.

    Raises:
        UserError: The file cannot be written.
        ValueError: `image` is not one image of floating-point numbers, as bytes are not.
    """
    check_path(path)
    content = png_bytes(image, profile=profile, comment=comment)
    with replacing(Path(path)) as part:
        part.write_bytes(content)


def png_bytes(image: Tensor, *, profile: bytes | None = None, comment: str | None = None) -> bytes:
    """Encode an image as `write_png` writes it.

    Raises:
        ValueError: `image` is not one image of floating-point numbers, as bytes are not.
    """
    if not isinstance(image, Tensor) or not image.is_floating_point():
        got = image.dtype if isinstance(image, Tensor) else type(image).__name__
        raise ValueError(f"image must be a tensor of floating-point numbers in [-1, 1], got {got}; see from_uint8")
    if image.shape[:-2] not in ((3,), (1, 3)):
        raise ValueError(f"image must be (3, H, W) or (1, 3, H, W), got {tuple(image.shape)}; write them one by one")
    pixels, texts, file = Image.fromarray(to_uint8(image.reshape(3, *image.shape[-2:]))), PngInfo(), io.BytesIO()
    if comment is not None:
        texts.add_text(COMMENT, comment)
    pixels.save(file, format="png", compress_level=COMPRESSION, icc_profile=profile, pnginfo=texts)
    return file.getvalue()


def jpeg_bytes(image: Tensor, *, quality: int = 90, comment: str = "") -> bytes:
    """Encode an image (3, H, W) or (1, 3, H, W) in [-1, 1] as JPEG, with a comment in its header.

    Raises:
        ValueError: The quality is out of range.
    """
    if not 1 <= quality <= 95:
        raise ValueError(f"quality must be from 1 to 95, got {quality}")
    file, pixels = io.BytesIO(), to_uint8(image.reshape(3, *image.shape[-2:]))
    Image.fromarray(pixels).save(file, format="jpeg", quality=quality, comment=comment.encode())
    return file.getvalue()


def as_jpeg(image: Tensor, *, quality: int) -> Tensor:
    """Compress an image (1, 3, H, W) in [-1, 1] as `jpeg_bytes` does, and decode it again."""
    with Image.open(io.BytesIO(jpeg_bytes(image, quality=quality))) as compressed:
        return from_uint8(np.array(compressed)).to(image)


def from_uint8(pixels: Pixels) -> Tensor:
    """Convert pixels (H, W, 3) in 0..255 to an image (1, 3, H, W) in [-1, 1].

    Raises:
        ValueError: The pixels are of another shape or type.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be (H, W, 3) of uint8, got {pixels.shape} of {pixels.dtype}")
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float().div_(127.5).sub_(1)


def to_uint8(image: Tensor) -> Pixels:
    """Convert an image (3, H, W) in [-1, 1] to pixels (H, W, 3) in 0..255, clamped and rounded.

    Raises:
        ValueError: The image is of another shape, or of whole numbers.
    """
    if image.ndim != 3 or len(image) != 3 or not image.is_floating_point():
        got = f"{tuple(image.shape)} of {image.dtype}"
        raise ValueError(f"image must be (3, H, W) in floating-point numbers in [-1, 1], got {got}")
    pixels = (image.detach().clamp(-1, 1) + 1) * 127.5
    return pixels.round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()


def check_size(name: str, size: int) -> None:
    """Raise a ValueError unless a number of pixels is a whole one, 1 or more."""
    if not is_whole(size) or size < 1:
        raise ValueError(f"{name} must be a whole number of pixels, 1 or more, got {size!r:.100}")


def check_sides(name: str, width: int, height: int) -> None:
    """Refuse a picture of sides that no photo has, before it is decoded.

    Raises:
        UserError: A side is longer than `LONGEST_SIDE`.
    """
    if max(width, height) > LONGEST_SIDE:
        message = f"{width:,} x {height:,} pixels; up to {LONGEST_SIDE:,} along a side are read"
        raise UserError(f"{name}: {message}")


def _check_first_frame(name: str, image: Image.Image) -> None:
    """Refuse an animated PNG whose first frame is not the whole picture, as it has to be: it may claim any size."""
    whole = (0, 0, *image.size)
    left, top, right, bottom = image.info.get("bbox", whole) if image.format == "PNG" else whole
    if (left, top, right, bottom) != whole:
        shown = f"its first frame has {right - left} x {bottom - top} pixels"
        raise UserError(f"{name}: damaged: a picture of {image.width:,} x {image.height:,} pixels, but {shown}")


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Resize images (N, 3, H, W) with Pillow's antialiased bilinear filter, to (N, 3, height, width).

    Raises:
        ValueError: A size is no whole number, or below 1.
    """
    check_size("height", height)
    check_size("width", width)
    return F.interpolate(image, (height, width), mode="bilinear", antialias=True, align_corners=False)


def resample(image: Tensor, resolution: int) -> Tensor:
    """Resize square images (N, 3, S, S) to (N, 3, resolution, resolution).

    Where the resolution divides S, it takes area averages, as generators draw coarser images; else see `resize`.

    Raises:
        ValueError: The resolution is no whole number, or below 1, or the images are no such batch.
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


def _rgb(name: str, image: Image.Image, background: tuple[int, ...]) -> Pixels:
    """Convert to RGB, (H, W, 3) in 0..255."""
    if image.mode.startswith("I"):
        return np.repeat(_eight_bits(np.asarray(image))[..., None], 3, axis=2)
    if image.mode == "F":
        raise UserError(f"{name}: its floating-point pixels have no fixed range; save it with 8 or 16 bits")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), layer)
    return np.array(image.convert("RGB"))


def _eight_bits(grey: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
    """Levels of 16 bits as those of 8, (H, W); a few rows at a time, for the numbers between take much memory."""
    levels = np.empty(grey.shape, np.uint8)
    for i in range(0, len(grey), ROWS):
        levels[i : i + ROWS] = (grey[i : i + ROWS] / 257).round().clip(0, 255)
    return levels
