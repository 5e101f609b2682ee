"""Reading of codes from other projects' files: NVIDIA's projectors, e4e, ReStyle, HyperStyle, rosinality.

| file | what |
|---|---|
| `.npy` | codes (num_ws, w_dim) or (N, num_ws, w_dim); styles (w_dim,), (N, w_dim) or (N, 1, w_dim) for all layers |
| `.npy` of ReStyle and HyperStyle | a dict of image names and codes: ReStyle's of each step, of which the last counts |
| `.npz` | one of the former as `w`, as NVIDIA's projectors write it |
| `.pt` | one tensor, as e4e's `latents.pt`; a dict of image names and tensors, or the dict of rosinality's projector |

The format is detected from the content. An array with as many rows as the generator has styles counts as one code.
"""

import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from latentloop.checkpoints.network_pickles import plain_tensor, read_pickle
from latentloop.checkpoints.pickle_machine import Record
from latentloop.checkpoints.reading import reading, refuse_other_files
from latentloop.checkpoints.torch_files import is_torch_file, read_torch_file
from latentloop.errors import UserError
from latentloop.files import refuse_no_file
from latentloop.generators.protocol import Generator
from latentloop.latents.numpy_archive import HEADERS, check_entry, largest

Archived = Callable[[IO[bytes], Mapping[str, zipfile.ZipInfo]], Any]
"""Function that reads a NumPy archive of several arrays, given the open file and its entries by name."""
ARRAY = b"\x93NUMPY"
"""First bytes of a `.npy` file."""
MAX_NAME = 100
"""Longest name of an image, in characters."""
MAX_BYTES = 1 << 34
"""Largest array, in bytes: the codes of half a million images."""


@dataclass(frozen=True)
class Latents:
    """Codes read from a file, with the names of their images if the file has them."""

    codes: Tensor
    """Codes, (N, num_ws, w_dim), float32, on the CPU."""
    names: tuple[str, ...] | None
    """Names of the N images, without folders and suffixes; None if the file has none."""


def read_latents(path: Path, generator: Generator) -> Latents:
    """Read codes for a generator from another project's file; nothing in the file is executed.

    The file does not say which generator its codes belong to, so only their shape is checked.

    Raises:
        UserError: The file is missing or damaged, asks for more than data, or has no finite codes of the generator's
            shape.
    """
    refuse_no_file(path, what="a file of codes")
    with reading(path):
        content = read_content(path, _of_projector)
        size = path.stat().st_size
        latents = _named(content, generator, size) if isinstance(content, Mapping) else _unnamed(content, generator)
        if not latents.codes.isfinite().all():
            raise UserError("has numbers that are not finite")
    return latents


def _unnamed(content: object, generator: Generator) -> Latents:
    return Latents(_codes(plain_tensor(content), generator), names=None)


def _named(content: Mapping[Any, Any], generator: Generator, size: int) -> Latents:
    """Codes of a dict by their images' names, one for each image; `size` is the file's in bytes."""
    if not content:
        raise UserError("has no codes")
    # Names may share one tensor, so that a small file could claim any number of codes.
    if len(content) * generator.num_ws * generator.w_dim * 4 > largest(size):
        raise UserError(f"has {len(content):,} codes in few bytes")
    codes: dict[str, Tensor] = {}
    for key, value in content.items():
        name = PurePath(str(key)).stem
        if not name.isprintable() or not 0 < len(name) <= MAX_NAME:
            raise UserError(f"has a code of an image with an unusable name: {name[:20]!r}")
        found = _codes(_last(value), generator)
        if name in codes or len(found) != 1:
            raise UserError(f"has several codes for {name}")
        codes[name] = found
    if len({code.data_ptr() for code in codes.values()}) < len(codes):
        raise UserError("has one code under several names")
    return Latents(torch.cat(list(codes.values())), tuple(codes))


def read_content(path: Path, of_archive: Archived, *, kind: str = "code") -> Any:  # noqa: ANN401
    """Read an array, a tensor or a dict of them from a file of NumPy or of `torch.save`.

    Errors do not name the file; call this within `latentloop.checkpoints.reading.reading`.

    Args:
        path: The file.
        of_archive: Selects from a NumPy archive of several arrays, given the open file and its entries by name; see
            `read_entry`.
        kind: What the file should contain, for error messages.

    Raises:
        UserError: The file is of neither kind.
    """
    with path.open("rb") as file:
        if file.read(len(ARRAY)) == ARRAY:
            file.seek(0)
            return _read_array(file, path.stat().st_size)
        if zipfile.is_zipfile(file) and (arrays := _arrays_of(file)):
            return of_archive(file, arrays)
    if not is_torch_file(path):
        refuse_other_files(path)
        raise UserError(f"not a {kind} file: neither of latentloop, nor of NumPy, nor of torch.save")
    return read_torch_file(path)


def read_entry(file: IO[bytes], entry: zipfile.ZipInfo) -> Any:  # noqa: ANN401
    """Read one array of an open NumPy archive.

    Raises:
        ValueError: The array is damaged, far larger than codes can be, or compressed in a way that NumPy does not use.
    """
    check_entry(entry)
    with zipfile.ZipFile(file) as archive, archive.open(entry) as array:
        return _read_array(array, entry.file_size)


def _arrays_of(file: IO[bytes]) -> dict[str, zipfile.ZipInfo]:
    """Entries of the arrays in an archive by name; empty for other archives."""
    with zipfile.ZipFile(file) as archive:
        return {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist() if ".npy" in entry.filename}


def _of_projector(file: IO[bytes], arrays: Mapping[str, zipfile.ZipInfo]) -> Any:  # noqa: ANN401
    if (found := arrays.get("w")) is None:
        raise UserError(f"has no array w, as NVIDIA's projectors write it, but {', '.join(sorted(arrays)[:5])}")
    return read_entry(file, found)


def _read_array(file: IO[bytes], size: int) -> Any:  # noqa: ANN401
    """The array in a NumPy file of `size` bytes, or the content of an object array."""
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"an array in format {version}")
    shape, fortran, dtype = HEADERS[version](file)
    if dtype.hasobject:
        return _read_object(file)
    if dtype.kind not in "fiu" or not 0 <= math.prod(shape) * dtype.itemsize <= min(size, MAX_BYTES):
        raise ValueError(f"an array {shape} of {dtype}")
    flat = np.frombuffer(file.read(math.prod(shape) * dtype.itemsize), dtype)
    array = flat.reshape(shape, order="F" if fortran else "C")
    with np.errstate(over="ignore"):  # numbers that overflow to infinity are refused later
        return torch.from_numpy(array.astype(np.float32))


def _read_object(file: Any) -> Mapping[Any, Any]:  # noqa: ANN401
    """The dict in a pickled array that holds one object."""
    record = read_pickle(file)
    items = record.state[-1] if isinstance(record, Record) and isinstance(record.state, tuple) else None
    if not isinstance(items, list) or len(items) != 1 or not isinstance(items[0], Mapping):
        raise UserError("an array of objects that is not a dict of images and codes")
    return items[0]


def _last(value: object) -> Tensor:
    """The code of an image; of a list with the codes of each step, the last."""
    if isinstance(value, Mapping):
        if "latent" not in value:
            raise UserError(f"has no latent for an image, but {', '.join(map(str, list(value)[:5])) or 'nothing'}")
        value = value["latent"]
    return plain_tensor(value[-1] if isinstance(value, list) and value else value)


def _codes(array: Tensor, generator: Generator) -> Tensor:
    """Codes (N, num_ws, w_dim) from an array of one of the shapes listed above."""
    num_ws, w_dim = generator.num_ws, generator.w_dim
    shape = tuple(array.shape)
    if shape == (num_ws, w_dim):
        array = array[None]
    elif len(shape) in (1, 2):  # styles in W, one for all layers
        array = array.reshape(-1, 1, shape[-1])
    if array.ndim != 3 or array.shape[1] not in (1, num_ws) or array.shape[2] != w_dim or not len(array):
        raise UserError(f"has codes {shape}, {generator.name} takes (N, {num_ws}, {w_dim})")
    return array.detach().float().expand(-1, num_ws, -1)
