"""Photos as users hand them over: files, Pillow images and arrays."""

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
"""Everything that `open_photo` takes as a photo."""


@dataclass(frozen=True)
class Photo:
    """A photo in memory."""

    name: str
    """Name of its file without ending; "photo" for one that is from none."""
    pixels: Pixels
    """(H, W, 3) in 0..255, upright."""
    file: dict[str, Any] | None = None
    """Name and checksum of its file, as code files tell them; None for a photo from none."""


def open_photo(photo: PhotoLike, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a photo.

    Args:
        photo: Path of an image file; an image of Pillow; or an array (H, W, 3) of uint8.
        max_pixels: Refuse files of more pixels.

    Raises:
        UserError: The file cannot be used.
        ValueError: It is none of these.
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
