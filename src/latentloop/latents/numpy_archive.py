"""Safe reading of NumPy archives: sizes are checked before an array is read, and nothing is executed."""

import io
import math
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
import numpy.typing as npt

# Errors that NumPy, zipfile and conversions of their results are known to raise on damaged files.
DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    OverflowError,
    RuntimeError,
    MemoryError,
    BadZipFile,
    TokenError,
    zlib.error,
)
FIRST_NAME = 30
"""Offset of the first entry's name in a zip archive, in bytes."""
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""Readers of the header of each version of the `.npy` format."""
ALWAYS = 1 << 26
"""Size up to which an array may be of any compression ratio, in bytes."""
RATIO = 20
"""Largest compression ratio of a larger array. Codes hardly compress; zeros do so a thousandfold."""


def largest(size: int) -> int:
    """Return the largest size in memory, in bytes, that data of `size` bytes in a file may have."""
    return max(ALWAYS, RATIO * size)


def check_entry(entry: ZipInfo) -> None:
    """Check the compression of an array in an archive before it is read.

    Raises:
        ValueError: The compression is not one that NumPy uses, or its ratio is that of a decompression bomb.
    """
    # Python decompresses the other methods without a bound on the output.
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ValueError("compressed as NumPy does not")
    if entry.file_size > largest(entry.compress_size):
        raise ValueError(f"an array of {entry.file_size:,} bytes in a file of few")


def holds_arrays(path: Path, *names: str) -> bool:
    """Return whether a file is an archive with arrays of these names, or a truncated or empty one.

    Args:
        path: File to check.
        names: Names without ".npy", first that of the array which is written first.
    """
    try:
        with ZipFile(path) as archive:
            return {f"{name}.npy" for name in names} <= set(archive.namelist())
    except DAMAGE:
        pass  # truncated: the list of entries is at the end of a zip archive
    first = f"{names[0]}.npy".encode()
    try:
        with path.open("rb") as file:
            beginning = file.read(FIRST_NAME + len(first))
    except OSError:
        return False
    return not beginning or (beginning.startswith(b"PK\x03\x04") and beginning[FIRST_NAME:] == first)


def read_arrays(
    content: bytes, names: Iterable[str] | None = None, *, max_bytes: int, max_total: int | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Read arrays of an archive by name.

    Args:
        content: Bytes of the archive.
        names: Names of the arrays, without ".npy"; None for all.
        max_bytes: Largest size of an array, in bytes.
        max_total: Largest size of all arrays together, in bytes; None for no limit.

    Raises:
        ValueError, LookupError and the others in `DAMAGE`: An array is missing, damaged, too large or of objects.
    """
    with ZipFile(io.BytesIO(content)) as archive:
        wanted = [name.removesuffix(".npy") for name in archive.namelist()] if names is None else names
        arrays, left = {}, max_total
        for name in wanted:
            arrays[name] = _read(archive, name, max_bytes if left is None else min(max_bytes, left))
            left = None if left is None else left - arrays[name].nbytes
        return arrays


def floats_in(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> npt.NDArray[Any]:
    """Return an array, or raise a ValueError unless it holds numbers."""
    if arrays[name].dtype.kind not in "fiu":
        raise ValueError(f"{name} must be numbers, not {arrays[name].dtype}")
    return arrays[name]


def whole_in(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> int:
    """Return the number in an array, or raise a ValueError unless it is a single integer."""
    if arrays[name].shape or arrays[name].dtype.kind not in "iu":
        raise ValueError(f"{name} must be a whole number")
    return int(arrays[name])


def text_in(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> str:
    """Return the text in an array, or raise a ValueError unless it is a single text."""
    if arrays[name].shape or arrays[name].dtype.kind != "U":
        raise ValueError(f"{name} must be a text")
    return str(arrays[name])


def _read(archive: ZipFile, name: str, max_bytes: int) -> npt.NDArray[Any]:
    entry = archive.getinfo(f"{name}.npy")
    check_entry(entry)
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"{name} in format {version}")
        shape, fortran, dtype = HEADERS[version](file)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise ValueError("no arrays that load without pickle")
        if min(shape, default=0) < 0 or not 0 <= size <= max_bytes:
            raise ValueError(f"{name} is too large: {size:,} bytes" if size > max_bytes else f"{name} has no size")
        flat = file.read(size)
        if file.read(1) or len(flat) != size:  # reading to the end also makes zipfile compare the checksum
            raise ValueError(f"{name} is of another length than it claims")
    if not dtype.itemsize:
        return np.zeros(shape, dtype)
    return np.frombuffer(flat, dtype).reshape(shape, order="F" if fortran else "C")
