"""Reading files and storages of `torch.save` as data; nothing that they name is imported or called.

`torch.load` is not used: it parses a file's pickle by its own rules, so a check beforehand could pass and `torch.load`
still see something else. Here tensors are built from a storage's bytes after checking that they exist.
"""

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from latentloop.checkpoints import numpy_records
from latentloop.checkpoints.bounded_file import BoundedFile
from latentloop.checkpoints.containers import dict_subclass, ordered_dict, shape_of
from latentloop.checkpoints.pickle_machine import Global, Maker, Record, simple, unpickle
from latentloop.errors import UserError

ZIPPED = b"PK\x03\x04"
"""First bytes of the current format of `torch.save`, a zip archive."""
MAGIC = (b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", b"L119547037146038801333356L\n.")
"""Pickled magic number of the format before PyTorch 1.6, which is not a zip archive: in pickle protocols from 2 on, and
in older ones."""
OLD = re.compile(rb"(\x80.(\x95.{8})?)?(" + b"|".join(map(re.escape, MAGIC)) + b")", re.DOTALL)
"""First bytes of that format, with the optional marks of the protocol and of the first frame."""
BEGINNING = 64
"""Number of bytes by which the format is detected."""
ODD = "storage of odd numbers"
"""Name of the record in place of a storage whose element type is not in `DTYPES`."""
REPEATED = 1 << 20
"""Elements that a tensor may have beyond those of its storage, by repeating them with a stride of 0."""
NAMESPACE = "argparse.Namespace"
"""Class of the options that projects store with their weights."""

DTYPES = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}
"""Element types by the names of the storage classes."""


@dataclass(frozen=True)
class Storage:
    """A flat array of numbers, of which tensors are views."""

    flat: Tensor
    """Elements of the storage, (count,)."""


@dataclass(frozen=True)
class Claim:
    """Size and type that a pickle claims for a storage, before its bytes are read."""

    key: str
    """Name of the storage in the file."""
    dtype: torch.dtype
    """Element type of the storage."""
    count: int
    """Number of elements of the storage."""

    @property
    def size(self) -> int:
        """Size of the storage, in bytes."""
        return self.count * self.dtype.itemsize


def is_torch_file(path: Path) -> bool:
    """Return whether a file begins like a file of `torch.save`."""
    with path.open("rb") as file:
        beginning = file.read(BEGINNING)
    return beginning.startswith(ZIPPED) or OLD.match(beginning) is not None


def read_torch_file(path: Path) -> Any:  # noqa: ANN401
    """Read a file of `torch.save` as tensors on the CPU, numbers, text, lists, dicts, and `Record`s for anything else.

    Raises:
        RefusedError: The file asks for more than data.
        ValueError, LookupError, OSError or RuntimeError: The file is damaged.
    """
    with path.open("rb") as file:
        zipped = file.read(len(ZIPPED)) == ZIPPED
        size = file.seek(0, 2)
        file.seek(0)
        return _read_archive(file, size) if zipped else _read_old(file, size)


def read_storage(blob: bytes) -> Tensor:
    """Read the elements, (count,), of a storage that is pickled within another file.

    Raises:
        RefusedError: The pickle asks for more than data.
        ValueError or LookupError: The pickle is damaged.
    """
    storage = _read_old(BytesIO(blob), len(blob))
    if not isinstance(storage, Storage):
        raise ValueError("a nested pickle that is not a storage")
    return storage.flat


def view(flat: Tensor, offset: object, size: object, stride: object) -> Tensor:
    """View part of a storage as a tensor, after checking that it lies within the storage.

    Args:
        flat: Elements of the storage, (count,).
        offset: Index of the tensor's first element in the storage.
        size: Shape of the tensor, a tuple of integers.
        stride: Distance between neighbours along each axis in elements, a tuple of integers.

    Raises:
        ValueError: The tensor would reach beyond the storage's end, or repeat elements many times.
    """
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride):
        raise ValueError("a tensor without a shape")
    if not isinstance(offset, int) or not all(isinstance(n, int) and n >= 0 for n in (offset, *size, *stride)):
        raise ValueError("a tensor with an invalid shape")
    # Index of the last element, and number of elements, by Python's integers, which do not overflow.
    last, numbers = offset, 1
    for n, step in zip(size, stride, strict=True):
        last, numbers = last + (n - 1) * step, numbers * n
    if numbers and (last >= len(flat) or numbers > len(flat) + REPEATED):
        raise ValueError("truncated: a tensor reaches beyond its storage")
    return flat.as_strided(size, stride, offset) if numbers else flat.new_empty(size)


def _read_archive(file: BinaryIO, size: int) -> Any:  # noqa: ANN401
    """Content of the current format, a zip archive with NAME/data.pkl and an entry for each storage in NAME/data."""
    with zipfile.ZipFile(file) as archive:
        _check_entries(archive.infolist(), size)
        pickles = [name for name in archive.namelist() if name.partition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise UserError("a zip archive of other files; unpack it first")
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise ValueError("numbers that are not little-endian")
        storages: dict[str, Storage] = {}

        def storage(identity: object) -> Storage | Record:
            if _is_odd(identity):
                return Record(ODD)
            claim = _claim(identity)
            if claim.key not in storages:
                storages[claim.key] = Storage(_numbers(archive.read(f"{folder}data/{claim.key}"), claim))
            return _checked(storages[claim.key], claim)

        return unpickle(BytesIO(archive.read(pickles[0])), MAKERS, persistent=storage)


def _check_entries(entries: Iterable[zipfile.ZipInfo], size: int) -> None:
    """Raise a ValueError for entries that are compressed, share bytes or share a name."""
    # torch.save stores entries uncompressed, so that their sizes cannot exceed the archive's.
    names, total = set(), 0
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise ValueError("compressed, as no file of torch.save is")
        names.add(entry.filename.casefold())
        total += entry.file_size
        if total > size:
            raise ValueError("truncated: entries that are larger than the archive")
    if len(names) != len(list(entries)):
        raise ValueError("two entries of one name")


def _read_old(file: BinaryIO, size: int) -> Any:  # noqa: ANN401
    """Content of the format before PyTorch 1.6: three pickled constants, the object, the storages' keys, storages."""
    constants = [unpickle(file, {}) for _ in range(3)]
    if isinstance(constants[2], dict) and not constants[2].get("little_endian", True):
        raise ValueError("numbers that are not little-endian")
    storages: dict[str, Storage] = {}
    left = size  # bytes that the storages may still claim: their numbers follow the pickle in the file

    def storage(identity: object) -> Storage | Global:
        nonlocal left
        match identity:
            case ("module", Global() as kind, *_):  # a module's class, which is stored with its source code
                return kind
        claim = _claim(identity)
        if claim.key not in storages:
            left -= claim.size
            if left < 0:
                raise ValueError(f"truncated: a tensor of {claim.count} numbers")
            storages[claim.key] = Storage(torch.zeros(claim.count, dtype=claim.dtype))
        return _checked(storages[claim.key], claim)

    # Tensors are built while their storages are still zeros; `_fill` then reads the numbers in place.
    content, keys = unpickle(file, MAKERS, persistent=storage), unpickle(file, {})
    if not isinstance(keys, list) or set(simple(keys)) != set(storages):
        raise ValueError("the storages are not those of the tensors")
    _fill([storages[key].flat for key in keys], BoundedFile(file))
    return content


def _fill(storages: Iterable[Tensor], file: BoundedFile) -> None:
    """Read the elements of storages (count,) from a file, where each follows its number of elements."""
    for flat in storages:
        if int.from_bytes(file.read(8), "little") != len(flat):  # number of elements, int64
            raise ValueError("a storage of another size than its tensors'")
        if len(flat):
            flat.copy_(torch.frombuffer(bytearray(file.read(flat.nbytes)), dtype=flat.dtype))


def _claim(identity: object) -> Claim:
    match identity:
        case ("storage", Global(name=kind), str(key), _, int(count)) if kind in DTYPES and count >= 0:
            return Claim(key, DTYPES[kind], count)
        # The format before PyTorch 1.6 has a sixth entry, for views of storages; only None is supported.
        case ("storage", Global(name=kind), str(key), _, int(count), None) if kind in DTYPES and count >= 0:
            return Claim(key, DTYPES[kind], count)
    raise ValueError("a persistent id that is not a storage")


def _is_odd(identity: object) -> bool:
    """Whether a persistent id is a storage of an unsupported type, such as complex numbers."""
    match identity:
        case ("storage", Global(name=kind), *_):
            return kind not in DTYPES and kind.startswith("torch.")
    return False


def _numbers(raw: bytes, claim: Claim) -> Tensor:
    if claim.size > len(raw):
        raise ValueError(f"truncated: a tensor of {claim.count} numbers")
    if not claim.count:
        return torch.empty(0, dtype=claim.dtype)
    return torch.frombuffer(bytearray(raw[: claim.size]), dtype=claim.dtype)


def _checked(storage: Storage, claim: Claim) -> Storage:
    if (storage.flat.dtype, len(storage.flat)) != (claim.dtype, claim.count):
        raise ValueError("a storage with two different types or sizes")
    return storage


def _tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> Tensor | Record:
    if isinstance(storage, Record) and storage.name == ODD:
        return storage
    if not isinstance(storage, Storage):
        raise ValueError("a tensor without a storage")
    return view(storage.flat, offset, size, stride)


def subclassed(function: object, _kind: object, args: object, _state: object = None) -> Any:  # noqa: ANN401
    """Build a plain tensor in place of one with attributes or of a subclass.

    Raises:
        ValueError: The tensor is not built by one of the `REBUILDERS`.
    """
    if not isinstance(function, Global) or function.name not in REBUILDERS or not isinstance(args, tuple):
        raise ValueError("a tensor that is built by an unknown function")
    return function.make(*args)


REBUILDERS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
"""Functions by which files build a tensor; their replacements make a view, without a copy."""
COMMON: dict[str, Maker] = {
    **numpy_records.MAKERS,
    **dict.fromkeys(
        ("collections.defaultdict", "dnnlib.util.EasyDict", "dnnlib.EasyDict", "easydict.EasyDict"), dict_subclass
    ),
    "collections.OrderedDict": ordered_dict,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch._utils._rebuild_parameter_with_state": lambda data, *_: data,
    "torch._tensor._rebuild_from_type_v2": subclassed,
    "torch.Size": shape_of,
}
"""Harmless replacements for the globals that all of PyTorch's pickles share."""

MAKERS: dict[str, Maker] = {
    **COMMON,
    **dict.fromkeys(REBUILDERS, _tensor),
}
"""Harmless replacements for globals; an object of any other class becomes a `Record`."""
