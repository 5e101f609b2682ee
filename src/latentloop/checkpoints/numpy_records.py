"""NumPy arrays and scalars in pickles, built from their bytes without NumPy's own unpickling."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from latentloop.checkpoints.pickle_machine import Maker, Record, simple
from latentloop.errors import shown

_DTYPE = re.compile(r"[<>|=]?([fiub][1248])")


def array_of(record: Record) -> npt.NDArray[np.generic]:
    """Build the array that a record of a pickle stands for.

    Raises:
        ValueError: The record is no array, holds Python objects, or its bytes do not fill its shape.
    """
    if record.name == "_frombuffer":
        raw, dtype, shape, order = record.args
    elif record.name == "_reconstruct" and isinstance(record.state, tuple) and len(record.state) == 5:
        _, shape, dtype, fortran, raw = record.state
        order = "F" if fortran else "C"
    else:
        raise ValueError(f"no array: {record.name}")
    raw = _bytes(raw)
    if order not in ("C", "F"):
        raise ValueError("an array of a strange order")
    flat = np.frombuffer(raw, _dtype_of(dtype))
    return flat.reshape(_checked(shape), order=order)


def _checked(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError("a shape that is none")
    return shape


def _dtype_of(record: object) -> np.dtype[Any]:
    """A type of plain numbers, with its byte order."""
    code = record.args[0] if isinstance(record, Record) and record.name == "dtype" and record.args else None
    found = _DTYPE.fullmatch(code) if isinstance(code, str) else None
    if not isinstance(record, Record) or found is None:
        raise ValueError(f"numbers of the type {shown(code)}")
    state = record.state
    order = state[1] if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">") else "="
    return np.dtype(f"{order}{found[1]}")


def _scalar(dtype: object, raw: object = b"") -> int | float | bool:
    value: int | float | bool = np.frombuffer(_bytes(raw), _dtype_of(dtype), count=1)[0].item()
    return value


def _bytes(raw: object) -> bytes | bytearray:
    """A file's bytes; those of Python 2 come as text."""
    raw = raw.encode("latin-1") if isinstance(raw, str) else raw
    if not isinstance(raw, bytes | bytearray):
        raise ValueError("an array without bytes")
    return raw


def _encode(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes in a strange encoding")
    return text.encode("latin-1")


def _in_every(module: str, name: str, make: Maker) -> dict[str, Maker]:
    """Under the module's names in older and newer releases."""
    return {f"numpy.{core}.{module}.{name}": make for core in ("core", "_core")}


def _record(name: str) -> Maker:
    return lambda *args: Record(name, args)


def _set(items: Sequence[Any] = ()) -> set[Any]:
    return set(simple(list(items)))


MAKERS: dict[str, Maker] = {
    "numpy.dtype": _record("dtype"),
    "numpy.ndarray": _record("ndarray"),
    "_codecs.encode": _encode,
    "builtins.set": _set,
    **_in_every("multiarray", "_reconstruct", _record("_reconstruct")),
    **_in_every("multiarray", "scalar", _scalar),
    **_in_every("numeric", "_frombuffer", _record("_frombuffer")),
}
"""Harmless stand-ins for the globals that pickles of arrays may name."""
