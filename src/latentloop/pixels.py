"""Image files as uint8 RGB pixels, (H, W, 3); the part of `images` that needs no PyTorch."""

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from latentloop.defaults import MAX_PIXELS
from latentloop.errors import UserError
from latentloop.files import refuse_no_file
from latentloop.options import check_path
from latentloop.pixel_limit import pixel_limit

Pixels = npt.NDArray[np.uint8]  # (H, W, 3), RGB in 0..255
# Formats of photos. Not all that Pillow supports: for some it starts other programs.
FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
WHITE = (255, 255, 255)
LONGEST_SIDE = 65_535
"""Largest side of an image in pixels, as in JPEG; only damaged files claim more."""
COMPRESSION = 2
"""Compression level of PNGs, 1 to 9. Level 6 makes photos a tenth smaller, and takes four times as long."""
ROWS = 64
"""Rows of an image that are converted at a time."""
COMMENT = "Comment"
"""Keyword of comments in a PNG, one of those in the specification."""
# Errors that Pillow's decoders are known to raise on damaged files.
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


def photo_suffixes() -> frozenset[str]:
    """Return the suffixes of files that `read_image` can read with this Pillow, in lower case, such as ".jpg"."""
    return frozenset(endings())


def endings() -> dict[str, str]:
    """Return Pillow's names of the supported formats, by the suffix of their files."""
    return {ending: name for ending, name in Image.registered_extensions().items() if name in FORMATS}


def open_known(file: IO[bytes]) -> Image.Image:
    """Open an image file of one of `FORMATS` with Pillow, which decodes it when its pixels are accessed.

    Raises:
        UnidentifiedImageError: The file is of another format, or damaged.
    """
    Image.preinit()  # the most common formats first; importing all plugins takes 1/15 s
    try:
        return Image.open(file, formats=sorted(Image.OPEN.keys() & set(FORMATS)))
    except UnidentifiedImageError:
        file.seek(0)
        return Image.open(file, formats=sorted(set(endings().values())))


def read_pixels(path: Path | str, *, max_pixels: int = MAX_PIXELS, background: Sequence[int] = WHITE) -> Pixels:
    """Read an image file of one of `FORMATS` as RGB, (H, W, 3) in 0..255, upright.

    Of animations the first frame is read. 16-bit grey is scaled to the range, not clipped.

    Args:
        path: Image file.
        max_pixels: Largest number of pixels; a small file can claim a huge image.
        background: RGB in 0..255 under transparent pixels.

    Raises:
        UserError: The file is missing, cannot be read, is empty, a pipe, not an image, truncated, or larger than
            `max_pixels` or `LONGEST_SIDE`.
    """
    check_path(path)
    content = image_content(Path(path))
    return decode_pixels(content, str(path), max_pixels=max_pixels, background=background)


def image_content(path: Path) -> bytes:
    """Read the bytes of an image file.

    Raises:
        UserError: The file is missing, cannot be read, or is a pipe.
    """
    refuse_no_file(path, what="an image")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read it: {error.strerror or error}") from error


def decode_pixels(
    content: bytes, name: str, *, max_pixels: int = MAX_PIXELS, background: Sequence[int] = WHITE
) -> Pixels:
    """Decode the content of an image file to RGB, (H, W, 3) in 0..255, upright.

    Args:
        content: Bytes of the file, in one of `FORMATS`.
        name: Name of the image, for error messages.
        max_pixels: Largest number of pixels.
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
            with open_known(io.BytesIO(content)) as image:
                check_sides(name, *image.size)
                _check_first_frame(name, image)
                pixels = _rgb(name, ImageOps.exif_transpose(image), tuple(background))
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise UserError(f"{name}: more than {max_pixels:,} pixels", arguments="max_pixels") from error
        except UnidentifiedImageError as error:
            raise UserError(f"{name}: not an image that this Pillow can read; save it as JPEG or PNG") from error
        except DECODING_ERRORS as error:
            raise UserError(f"{name}: damaged or truncated image ({error})") from error
    return pixels


def pillow_pixels(image: Image.Image, *, background: Sequence[int] = WHITE) -> Pixels:
    """Convert a Pillow image to RGB, (H, W, 3) in 0..255, upright according to its EXIF data.

    Raises:
        UserError: Its pixels are floating-point numbers, which have no fixed range.
        ValueError: The image has no pixels.
    """
    if not image.width * image.height:
        raise ValueError(f"an image must have pixels, got {image.width} x {image.height}")
    return _rgb("the image", ImageOps.exif_transpose(image), tuple(background))


def check_pixels(pixels: object, *, name: str = "pixels") -> None:
    """Raise a ValueError unless a value is an image of uint8, (H, W, 3).

    Args:
        pixels: Value to check.
        name: Name of the argument, for the message.
    """
    if not isinstance(pixels, np.ndarray):
        raise ValueError(f"{name} must be (H, W, 3) of uint8, got a {type(pixels).__name__}")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"{name} must be (H, W, 3) of uint8, got {pixels.shape} of {pixels.dtype}")


def encode_png(pixels: Pixels, *, profile: bytes | None = None, comment: str | None = None) -> bytes:
    """Encode pixels (H, W, 3) as 8-bit PNG.

    Args:
        pixels: Pixels of the image.
        profile: ICC profile of its colours; None for sRGB.
        comment: Text to store in the file.
    """
    file, texts = io.BytesIO(), PngInfo()
    if comment is not None:
        texts.add_text(COMMENT, comment)
    image = Image.fromarray(pixels)
    image.save(file, format="png", compress_level=COMPRESSION, icc_profile=profile, pnginfo=texts)
    return file.getvalue()


def encode_jpeg(pixels: Pixels, *, quality: int = 90, profile: bytes | None = None, comment: str = "") -> bytes:
    """Encode pixels (H, W, 3) as JPEG, with a comment in its header.

    Raises:
        ValueError: `quality` is not from 1 to 95.
    """
    if not 1 <= quality <= 95:
        raise ValueError(f"quality must be from 1 to 95, got {quality}")
    file, more = io.BytesIO(), {"icc_profile": profile} if profile else {}
    Image.fromarray(pixels).save(file, format="jpeg", quality=quality, comment=comment.encode(), **more)
    return file.getvalue()


def check_sides(name: str, width: int, height: int) -> None:
    """Check the sides of an image before it is decoded.

    Raises:
        UserError: A side is longer than `LONGEST_SIDE`.
    """
    if max(width, height) > LONGEST_SIDE:
        message = f"{width:,} x {height:,} pixels; up to {LONGEST_SIDE:,} along a side are read"
        raise UserError(f"{name}: {message}")


def _check_first_frame(name: str, image: Image.Image) -> None:
    """Raise a UserError for an animated PNG whose first frame does not cover the image, as the standard requires."""
    # Such a file could claim any size without the pixels for it.
    whole = (0, 0, *image.size)
    left, top, right, bottom = image.info.get("bbox", whole) if image.format == "PNG" else whole
    if (left, top, right, bottom) != whole:
        shown = f"its first frame has {right - left} x {bottom - top} pixels"
        raise UserError(f"{name}: damaged: a picture of {image.width:,} x {image.height:,} pixels, but {shown}")


def _rgb(name: str, image: Image.Image, background: tuple[int, ...]) -> Pixels:
    """Pixels of a Pillow image as RGB, (H, W, 3) in 0..255."""
    if image.mode.startswith("I"):
        return np.repeat(_eight_bits(np.asarray(image))[..., None], 3, axis=2)
    if image.mode == "F":
        raise UserError(f"{name}: its floating-point pixels have no fixed range; save it with 8 or 16 bits")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), layer)
    return np.array(image.convert("RGB"))


def _eight_bits(grey: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
    """16-bit grey levels (H, W) scaled to 8 bits; a few rows at a time, since intermediate results take much memory."""
    levels = np.empty(grey.shape, np.uint8)
    for i in range(0, len(grey), ROWS):
        levels[i : i + ROWS] = (grey[i : i + ROWS] / 257).round().clip(0, 255)
    return levels
