"""Signatures: which edit of which picture a file holds, so that only the same edit, made again, may replace it."""

import json
from pathlib import Path

from latentloop.errors import UserError
from latentloop.images import png_comment
from latentloop.latents.code_file import load_code
from latentloop.stamps import key_of
from latentloop.video.files import media_comment

SIGNATURE = "signature"
"""Name of the signature among the details of a code file, and in the JSON file beside a video."""


def signature_of(name: str, source: str) -> str:
    """Make the signature of a result.

    Args:
        name: The result's name, which tells one edit from another.
        source: What was edited, such as a photo's checksum.
    """
    return f"latentloop edit {key_of({'name': name, 'source': source})}"


def is_signed(path: Path, signature: str) -> bool:
    """Return whether a .png, .mp4, .npz or .json file has a signature; False if it cannot be read."""
    readers = {".png": png_comment, ".mp4": media_comment, ".npz": _of_code, ".json": _of_json}
    return path.is_file() and readers[path.suffix](path) == signature


def _of_code(path: Path) -> object:
    try:
        return load_code(path).details.get(SIGNATURE)
    except UserError:
        return None


def _of_json(path: Path) -> object:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content.get(SIGNATURE) if isinstance(content, dict) else None
