"""Reading and checking of a safetensors file's header before its tensors are read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentloop.json_files import decode_json

MAX_BYTES = 1 << 22
"""Longest header, in bytes; that of a thousand tensors has about 100,000."""
MAX_DIMENSIONS = 8
"""Largest number of axes of a tensor; PyTorch and NumPy have different limits."""
TYPES = frozenset({"BOOL", "U8", "I8", "I16", "I32", "I64", "F8_E4M3", "F8_E5M2", "F16", "BF16", "F32", "F64"})
"""Supported types of tensors, as the format names them."""
METADATA = "__metadata__"
"""Key of the header's metadata."""
KIND = "latentloop"
"""Key of the only metadata entry of our files: the kind of content and, as JSON, the settings. A single entry, because
safetensors does not keep the order of several, and files would not be reproducible."""


def kind_in(path: Path) -> str | None:
    """Return the kind of content of a weights file that latentloop wrote; None for any other file."""
    try:
        return _kind(read_header(path))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def kind_in_bytes(start: bytes) -> str | None:
    """Return the kind of content as `kind_in`, from the first bytes of a file, up to the end of its header."""
    length = int.from_bytes(start[:8], "little")
    try:
        return _kind(check_header(start[8 : 8 + min(length, MAX_BYTES)], length))
    except (ValueError, LookupError, TypeError):
        return None


def _kind(header: Mapping[str, Any]) -> str | None:
    entry = header[METADATA][KIND]
    return entry.partition(" ")[0] if isinstance(entry, str) else None


def read_header(path: Path, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Read and check the header of a file, without its tensors.

    Raises:
        OSError: The file cannot be read.
        ValueError: The header is damaged, or claims more than weights need.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return check_header(file.read(min(length, max_bytes)), length, max_bytes=max_bytes)


def check_header(text: bytes, length: int, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Decode and check a header, to the tensors' entries by name, and the metadata.

    Args:
        text: Bytes of the header, or the first of them.
        length: Length of the header according to the file.
        max_bytes: Longest header, in bytes.

    Raises:
        ValueError: The header is damaged, or claims more than weights need.
    """
    if length > max_bytes:
        raise ValueError(f"a header of {length:,} bytes")
    if len(text) < length:
        raise ValueError("header is cut off")
    header = decode_json(text)
    if not isinstance(header, dict):
        raise TypeError("a header that is not a JSON object")
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


def check_complete(header: Mapping[str, Any], length: int, size: int) -> None:
    """Check that a file is as long as its header says.

    Args:
        header: Checked header.
        length: Length of the header, in bytes.
        size: Length of the file, in bytes.

    Raises:
        ValueError: The file was cut off.
    """
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != METADATA]
    whole = 8 + length + max(ends, default=0)
    if size < whole:
        raise ValueError(f"it was cut off after {size:,} of {whole:,} bytes; copy or download it again")
