"""The header of a safetensors file, checked before anything is made of what it claims."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentloop.json_files import decode_json

MAX_BYTES = 1 << 22
"""Longest header, in bytes; a network of a thousand tensors has a tenth of a million."""
MAX_DIMENSIONS = 8
"""Most dimensions of a tensor; PyTorch and NumPy differ in how many they can."""
TYPES = frozenset({"BOOL", "U8", "I8", "I16", "I32", "I64", "F8_E4M3", "F8_E5M2", "F16", "BF16", "F32", "F64"})
"""Types of tensors that are read, as the format names them."""
METADATA = "__metadata__"


def read_header(path: Path, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Read the header of a file alone, and check it as `check_header`.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is damaged, or claims what no weights need.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return check_header(file.read(min(length, max_bytes)), length, max_bytes=max_bytes)


def check_header(text: bytes, length: int, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Decode a header, and check it: entries by the names of the tensors, and the metadata.

    Args:
        text: Its bytes, or the first of them.
        length: Its length as the file claims.
        max_bytes: Longest header.

    Raises:
        ValueError: It is damaged, or claims what no weights need.
    """
    if length > max_bytes:
        raise ValueError(f"a header of {length:,} bytes")
    if len(text) < length:
        raise ValueError("header is cut off")
    header = decode_json(text)
    if not isinstance(header, dict):
        raise TypeError("a header that is no JSON object")
    for name, entry in header.items():
        if name != METADATA:
            _check_entry(name, entry)
    return header


def _check_entry(name: str, entry: Mapping[str, Any]) -> None:
    dtype, shape = entry["dtype"], entry["shape"]
    if not isinstance(dtype, str) or dtype not in TYPES:
        raise ValueError(f"{name} has numbers of a type that is not read")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"{name} has more than {MAX_DIMENSIONS} dimensions")
