"""Image files as pixels: uint8 RGB, (H, W, 3). The part of `images` that needs no PyTorch."""

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


def photo_suffixes() -> frozenset[str]:
    """Endings of the files that `read_image` can read with this Pillow, lower-case, such as ".jpg"."""
    return frozenset(endings())


def endings() -> dict[str, str]:
    """Ending -> Pillow's name of the format."""
    return {ending: name for ending, name in Image.registered_extensions().items() if name in FORMATS}


def open_known(file: IO[bytes]) -> Image.Image:
    """Open an image file of one of `FORMATS` with Pillow, which decodes it when its pixels are asked for.

    Raises:
        UnidentifiedImageError: It is of another format, or damaged.
    """
    Image.preinit()  # the most common formats; all plugins take a fifteenth of a second to import
    try:
        return Image.open(file, formats=sorted(Image.OPEN.keys() & set(FORMATS)))
    except UnidentifiedImageError:
        file.seek(0)
        return Image.open(file, formats=sorted(set(endings().values())))


def read_pixels(path: Path | str, *, max_pixels: int = MAX_PIXELS, background: Sequence[int] = WHITE) -> Pixels:
    """Read an image file of one of `FORMATS` as RGB, (H, W, 3) in 0..255, upright.

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
    """Bring an image of Pillow to RGB, (H, W, 3) in 0..255, upright as its EXIF data says.

    Raises:
        UserError: Its pixels are floating-point numbers, which have no fixed range.
        ValueError: It has no pixels.
    """
    if not image.width * image.height:
        raise ValueError(f"an image must have pixels, got {image.width} x {image.height}")
    return _rgb("the image", ImageOps.exif_transpose(image), tuple(background))


def check_pixels(pixels: object, *, name: str = "pixels") -> None:
    """Raise a ValueError unless something is an image of uint8, (H, W, 3).

    Args:
        pixels: Anything.
        name: Name of the argument, for the message.
    """
    if not isinstance(pixels, np.ndarray):
        raise ValueError(f"{name} must be (H, W, 3) of uint8, got a {type(pixels).__name__}")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"{name} must be (H, W, 3) of uint8, got {pixels.shape} of {pixels.dtype}")


def encode_png(pixels: Pixels, *, profile: bytes | None = None, comment: str | None = None) -> bytes:
    """Encode pixels (H, W, 3) as 8-bit PNG.

    Args:
        pixels: The image.
        profile: ICC profile that says what its numbers mean; None for sRGB.
        comment: Text to keep in the file beside the image.
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
        ValueError: The quality is out of range.
    """
    if not 1 <= quality <= 95:
        raise ValueError(f"quality must be from 1 to 95, got {quality}")
    file, more = io.BytesIO(), {"icc_profile": profile} if profile else {}
    Image.fromarray(pixels).save(file, format="jpeg", quality=quality, comment=comment.encode(), **more)
    return file.getvalue()


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
