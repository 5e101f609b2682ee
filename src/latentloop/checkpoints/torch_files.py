"""Files and storages of PyTorch: first gone through as data, then read by `torch.load` with `weights_only`.

The first reading names what is refused, and sees that no tensor claims more numbers than the file has.
"""

import argparse
import pickle
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from latentloop.checkpoints.pickle_machine import Global, Maker, Record, RefusedError, simple, unpickle

MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""What PyTorch's files began with before they were zip archives."""

ITEM_BYTES = {
    "torch.DoubleStorage": 8,
    "torch.FloatStorage": 4,
    "torch.HalfStorage": 2,
    "torch.BFloat16Storage": 2,
    "torch.LongStorage": 8,
    "torch.IntStorage": 4,
    "torch.ShortStorage": 2,
    "torch.CharStorage": 1,
    "torch.ByteStorage": 1,
    "torch.BoolStorage": 1,
}


class Setting:
    """Stands for an object among a file's settings that says nothing about the network."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


STAND_INS = (
    *(f"pathlib.{kind}Path" for kind in ("Posix", "Windows", "PurePosix", "PureWindows", "")),
    *(f"numpy.{core}.multiarray.scalar" for core in ("core", "_core")),
    "numpy.dtype",
    "torch.device",
)
"""Globals that settings name, and that become a `Setting` each."""


@dataclass(frozen=True)
class Claim:
    """A storage as a pickle describes it."""

    count: int


def is_torch_file(path: Path) -> bool:
    """Whether a file looks as if `torch.save` had written it."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC or zipfile.is_zipfile(file)


def read_torch_file(path: Path) -> Any:  # noqa: ANN401
    """What a file of `torch.save` holds: tensors, on the CPU, numbers and text, in lists and dicts.

    Raises:
        RefusedError: It asks for more than data.
        ValueError, LookupError or OSError: It is damaged.
    """
    with path.open("rb") as file:
        if zipfile.is_zipfile(file):
            _check_archive(file)
        else:
            file.seek(0)
            _check_old(file, path.stat().st_size)
    return _load(path)


def read_storage(blob: bytes) -> Tensor:
    """The numbers of a storage that was pickled into another file, (count,).

    Raises:
        RefusedError: It asks for more than data.
        ValueError or LookupError: It is damaged.
    """
    _check_old(BytesIO(blob), len(blob))
    storage = _load(BytesIO(blob))
    if not isinstance(storage, torch.storage.TypedStorage):
        raise ValueError("no storage where one should be")
    return torch.empty(0, dtype=storage.dtype).set_(storage._untyped_storage)


def view(flat: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """A tensor within a storage.

    Raises:
        ValueError: It would reach beyond the storage's end.
    """
    _check_view(len(flat), offset, size, stride)
    return flat.as_strided(size, stride, offset)


def _load(source: Path | BinaryIO) -> Any:  # noqa: ANN401
    stand_ins: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [(Setting, name) for name in STAND_INS]
    with torch.serialization.safe_globals([argparse.Namespace, *stand_ins]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pickle protocols, and of storages
        try:
            return torch.load(source, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, AttributeError, TypeError, AssertionError) as error:
            raise ValueError(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
        except pickle.UnpicklingError as error:
            raise RefusedError(str(error).splitlines()[0]) from error


def _check_archive(file: BinaryIO) -> None:
    """Go through an archive of today's format: NAME/data.pkl, and a file for each storage in NAME/data."""
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise ValueError("compressed, as no file of torch.save is")
        pickles = [name for name in entries if name.partition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError("no file of torch.save")
        folder = pickles[0].removesuffix(".pkl")
        _check_pickle(BytesIO(archive.read(pickles[0])), lambda key: entries[f"{folder}/{key}"].file_size)


def _check_old(file: BinaryIO, size: int) -> None:
    """Go through the format of before: three pickles of constants, the object, and the storages after it."""
    for _ in range(3):
        unpickle(file, {})
    _check_pickle(file, lambda _: size)


def _check_pickle(file: BinaryIO, size_of: Callable[[str], int]) -> None:
    def claim(identity: object) -> Claim:
        match identity:
            case ("storage", Global(name=kind), str(key), _, int(count), *_) if kind in ITEM_BYTES:
                if not 0 <= count <= size_of(key) // ITEM_BYTES[kind]:
                    raise ValueError(f"truncated: a tensor of {count} numbers")
                return Claim(count)
        raise ValueError("a persistent id that is no storage")

    unpickle(file, MAKERS, persistent=claim)


def _check_view(count: int, offset: object, size: object, stride: object) -> None:
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride):
        raise ValueError("a tensor without a shape")
    if not all(isinstance(n, int) and n >= 0 for n in (offset, *size, *stride)):
        raise ValueError("a tensor of a strange shape")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and last >= count:
        raise ValueError("truncated: a tensor reaches beyond its storage")


def _tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> None:
    if not isinstance(storage, Claim):
        raise ValueError("a tensor without a storage")
    _check_view(storage.count, offset, size, stride)


def ordered_dict(items: Any = ()) -> dict[Any, Any]:  # noqa: ANN401
    """An ordered dict as files have it, from pairs.

    Raises:
        ValueError: They are none, or their keys are not simple.
    """
    pairs = [tuple(pair) for pair in items]
    simple([pair[0] for pair in pairs])
    return dict(pairs)


def _stand_in(name: str) -> Maker:
    return lambda *args: Record(name, args)


MAKERS: dict[str, Maker] = {
    "collections.OrderedDict": ordered_dict,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda *_: None,
    "torch.Size": lambda size=(): tuple(size),
    **{name: _stand_in(name) for name in (*ITEM_BYTES, "argparse.Namespace", "_codecs.encode", *STAND_INS)},
}
"""What stands for the globals of a file in the first reading."""
