"""Files of latentloop-lite: pictures and codes."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from latentloop.files import write_together
from latentloop.latents.plain_code import PlainCode, encode_code
from latentloop.ownership import MARK
from latentloop.pixels import Pixels, encode_png
from latentloop.runtime.arrays import Doubles, Floats


def checksum(array: Floats | Doubles) -> str:
    """Compute the SHA-256 of an array's values, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def face_names(name: str, count: int) -> list[str]:
    """Return the names of the results of a photo's faces."""
    return [f"{name}-face{i + 1}" for i in range(count)] if count > 1 else [name]


def write_results(
    codes: Mapping[Path, PlainCode], pictures: Mapping[Path, Pixels], signature: str, profile: bytes | None = None
) -> None:
    """Write the files of a result, with its signature; all are on disk before the first one gets its final name.

    Args:
        codes: Codes by their files.
        pictures: Pictures (H, W, 3) in 0..255 by their files.
        signature: Signature of the result.
        profile: ICC profile of the last picture, the photo's; None for sRGB.

    Raises:
        UserError: A file cannot be written.
    """
    files: dict[Path, bytes] = {}
    for path, code in codes.items():
        files[path] = encode_code(replace(code, details={**code.details, MARK: signature}))
    for i, (path, pixels) in enumerate(pictures.items()):
        own = profile if i == len(pictures) - 1 else None
        files[path] = encode_png(pixels, profile=own, comment=signature)
    write_together(files)
