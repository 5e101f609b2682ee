"""Reading photos that users pass as files, Pillow images or arrays."""

import hashlib
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latentloop.defaults import MAX_PIXELS
from latentloop.pixels import Pixels, check_pixels, decode_pixels, image_content, pillow_pixels

PhotoLike = str | PathLike[str] | Image.Image | Pixels
"""Types that `open_photo` accepts as a photo."""


@dataclass(frozen=True)
class Photo:
    """A photo in memory, upright, with its provenance."""

    name: str
    """Name of its file without suffix; "photo" if it has no file."""
    pixels: Pixels
    """Pixels of the upright photo, (H, W, 3) in 0..255."""
    file: dict[str, Any] | None = None
    """Name and checksum of its file, as code files store them; None if it has no file."""


def open_photo(photo: PhotoLike, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a photo from a file, a Pillow image or an array.

    Args:
        photo: Path of an image file, a Pillow image, or an array (H, W, 3) of uint8.
        max_pixels: Largest number of pixels of a file.

    Raises:
        UserError: The file cannot be used.
        ValueError: The argument is of another kind.
    """
    if isinstance(photo, str | PathLike):
        path = Path(photo)
        content = image_content(path)
        pixels = decode_pixels(content, str(path), max_pixels=max_pixels)
        return Photo(path.stem, pixels, {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()})
    if isinstance(photo, Image.Image):
        return Photo("photo", pillow_pixels(photo))
    check_pixels(photo, name="photo")
    return Photo("photo", np.ascontiguousarray(photo))
