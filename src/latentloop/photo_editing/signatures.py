"""Signatures: what a result was made from, in the file itself, so that only the same result may replace it."""

import hashlib
from pathlib import Path
from typing import Literal

from torch import Tensor

from latentloop.errors import UserError
from latentloop.images import gif_comment, png_comment
from latentloop.json_files import read_json
from latentloop.latents.code_file import load_code
from latentloop.stamps import Stamp, key_of
from latentloop.video.files import media_comment

SIGNATURE = "signature"
"""Name of the signature among the details of a code file, and in the JSON file beside a video."""
Kind = Literal["edit", "morph"]
"""Kind of a result: of latentloop edit, mix and transfer, or of latentloop morph."""
SHORT_KEY = 6
"""Hexadecimal digits of a signature that tell results of one name apart."""


def signature_of(stamp: Stamp, kind: Kind = "edit") -> str:
    """Make the signature of a result.

    Args:
        stamp: What the result is made from, and how.
        kind: Kind of the result.
    """
    return f"{_prefix(kind)}{key_of(stamp)}"


def short_key(signature: str) -> str:
    """Shorten a signature to digits for a file's name."""
    return signature.rpartition(" ")[2][:SHORT_KEY]


def signature_in(path: Path, kind: Kind = "edit") -> str | None:
    """Read the signature in a .png, .gif, .mp4, .npz or .json file; None if there is none of that kind."""
    readers = {
        ".png": png_comment,
        ".gif": gif_comment,
        ".mp4": media_comment,
        ".npz": _of_code,
        ".json": _of_json,
    }
    try:
        reader = readers.get(path.suffix.lower())
        text = reader(path) if reader and path.is_file() else None
    except (OSError, ValueError):  # no name that a file can have
        return None
    return text if isinstance(text, str) and text.startswith(_prefix(kind)) else None


def checksum_of(tensor: Tensor) -> str:
    """Compute the SHA-256 of a tensor's values, in hexadecimal."""
    return hashlib.sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).hexdigest()


def _prefix(kind: Kind) -> str:
    return f"latentloop {kind} "


def _of_code(path: Path) -> object:
    try:
        return load_code(path).details.get(SIGNATURE)
    except UserError:
        return None


def _of_json(path: Path) -> object:
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return None
    return content.get(SIGNATURE) if isinstance(content, dict) else None
