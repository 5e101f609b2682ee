"""Metadata of image files: colour profiles, comments, and whether they are animated."""

import sys
from pathlib import Path

from PIL import Image

from latentloop.pixel_limit import pixel_limit
from latentloop.pixels import COMMENT, DECODING_ERRORS, open_known


def colour_profile(path: Path | str) -> bytes | None:
    """Read the ICC colour profile of an image that `read_image` can read; None if it has no RGB profile."""
    with pixel_limit.of(sys.maxsize), Path(path).open("rb") as file, open_known(file) as image:
        profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
    return profile if isinstance(profile, bytes) else None


def png_comment(path: Path) -> str | None:
    """Read the comment that `write_png` stored in a file; None if there is none, or the file is not a PNG."""
    comment = _info(path, "PNG").get(COMMENT)
    return comment if isinstance(comment, str) else None


def gif_comment(path: Path) -> str | None:
    """Read the comment that `write_gif` stored in a file; None if there is none, or the file is not a GIF."""
    comment = _info(path, "GIF").get("comment")
    return comment.decode(errors="replace") if isinstance(comment, bytes) else None


def jpeg_comment(path: Path) -> str | None:
    """Read the comment in a JPEG file; None if there is none, or the file is not a JPEG."""
    comment = _info(path, "JPEG").get("comment")
    return comment.decode(errors="replace") if isinstance(comment, bytes) else None


def _info(path: Path, format_name: str) -> dict[str | tuple[int, int], object]:
    """Metadata of an image file of a given format; empty if the file is damaged or of another format."""
    try:
        with pixel_limit.of(sys.maxsize), Image.open(path, formats=[format_name]) as image:
            return dict(image.info)
    except DECODING_ERRORS:
        return {}


def is_animated(path: Path) -> bool:
    """Return whether a GIF or PNG has more than one frame; False for other, missing and damaged files."""
    try:
        with pixel_limit.of(sys.maxsize), Image.open(path, formats=["GIF", "PNG"]) as image:
            return bool(getattr(image, "is_animated", False))
    except DECODING_ERRORS:
        return False
