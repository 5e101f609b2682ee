"""Arrays of a NumPy archive: what each claims to be is checked before it is read, and nothing is executed."""

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

# What NumPy, zipfile and conversions of what they read are known to raise on damaged files.
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
"""Place of its first array's name in an archive."""
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""Readers of the header of each version of the `.npy` format."""
ALWAYS = 1 << 26
"""Bytes that any array may have."""
RATIO = 20
"""How many times its size in the file a larger array may have. Codes hardly shrink; zeros do a thousandfold."""


def largest(size: int) -> int:
    """Return the bytes that data of `size` bytes in a file may take in memory."""
    return max(ALWAYS, RATIO * size)


def check_entry(entry: ZipInfo) -> None:
    """Check an array of an archive before it is read.

    Raises:
        ValueError: It is compressed in another way than NumPy's, or so that a small file takes all memory.
    """
    # Python reads other compressions without a bound.
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ValueError("compressed as NumPy does not")
    if entry.file_size > largest(entry.compress_size):
        raise ValueError(f"an array of {entry.file_size:,} bytes in a file of few")


def holds_arrays(path: Path, *names: str) -> bool:
    """Return whether a file is an archive with arrays of these names, or what is left of one: cut off, or empty.

    Args:
        path: The file.
        names: Names without ".npy", first that of the array which was written first.
    """
    try:
        with ZipFile(path) as archive:
            return {f"{name}.npy" for name in names} <= set(archive.namelist())
    except DAMAGE:
        pass  # no list of its arrays, which comes last
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
    """Read arrays of an archive by their names.

    Args:
        content: The archive's bytes.
        names: Names of the arrays, without ".npy"; None for all.
        max_bytes: Largest array.
        max_total: Most bytes of them all; None for any number.

    Raises:
        ValueError, LookupError and others of NumPy and zipfile: One is missing, damaged, too large or of objects.
    """
    with ZipFile(io.BytesIO(content)) as archive:
        wanted = [name.removesuffix(".npy") for name in archive.namelist()] if names is None else names
        arrays, left = {}, max_total
        for name in wanted:
            arrays[name] = _read(archive, name, max_bytes if left is None else min(max_bytes, left))
            left = None if left is None else left - arrays[name].nbytes
        return arrays


def floats_in(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> npt.NDArray[Any]:
    """Return an array of numbers; ValueError if it is none."""
    if arrays[name].dtype.kind not in "fiu":
        raise ValueError(f"{name} must be numbers, not {arrays[name].dtype}")
    return arrays[name]


def whole_in(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> int:
    """Return a whole number; ValueError if it is none."""
    if arrays[name].shape or arrays[name].dtype.kind not in "iu":
        raise ValueError(f"{name} must be a whole number")
    return int(arrays[name])


def text_in(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> str:
    """Return a text; ValueError if it is none."""
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
        if file.read(1) or len(flat) != size:  # at its end its checksum is compared, too
            raise ValueError(f"{name} is of another length than it claims")
    if not dtype.itemsize:
        return np.zeros(shape, dtype)
    return np.frombuffer(flat, dtype).reshape(shape, order="F" if fortran else "C")
