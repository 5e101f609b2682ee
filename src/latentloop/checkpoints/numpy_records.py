"""Building NumPy arrays and scalars in pickles from their bytes, without NumPy's own unpickling."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from latentloop.checkpoints.pickle_machine import Global, Maker, Record, simple
from latentloop.errors import shown

BUILT_IN = ("builtins", "__builtin__")
"""Names of the module of built-in classes, in Python 3 and 2."""
_DTYPE = re.compile(r"[<>|=]?([fiub][1248])")


def array_of(record: Record) -> npt.NDArray[np.generic]:
    """Build the array that a pickle's record describes.

    Raises:
        ValueError: The record is not an array, holds Python objects, or its bytes do not fill its shape.
    """
    if record.name == "_frombuffer":
        raw, dtype, shape, order = record.args
    # The state is (version, shape, dtype, is_fortran, bytes).
    elif record.name == "_reconstruct" and isinstance(record.state, tuple) and len(record.state) == 5:
        _, shape, dtype, fortran, raw = record.state
        order = "F" if fortran else "C"
    else:
        raise ValueError(f"not an array: {record.name}")
    raw = _bytes(raw)
    if order not in ("C", "F"):
        raise ValueError("an array whose order is neither C nor F")
    flat = np.frombuffer(raw, _dtype_of(dtype))
    return flat.reshape(_checked(shape), order=order)


def _checked(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError("an array without a valid shape")
    return shape


def _dtype_of(record: object) -> np.dtype[Any]:
    """The NumPy type of a dtype's record, which must be of plain numbers, with its byte order."""
    code = record.args[0] if isinstance(record, Record) and record.name == "dtype" and record.args else None
    found = _DTYPE.fullmatch(code) if isinstance(code, str) else None
    if not isinstance(record, Record) or found is None:
        raise ValueError(f"numbers of the type {shown(code)}")
    state = record.state
    # The dtype's state is (version, byte order, ...); "|" for single bytes needs no order.
    order = state[1] if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">") else "="
    return np.dtype(f"{order}{found[1]}")


def _scalar(dtype: object, raw: object = b"") -> int | float | bool:
    value: int | float | bool = np.frombuffer(_bytes(raw), _dtype_of(dtype), count=1)[0].item()
    return value


def _bytes(raw: object) -> bytes | bytearray:
    """The bytes of an array; pickles of Python 2 store them as latin-1 text."""
    raw = raw.encode("latin-1") if isinstance(raw, str) else raw
    if not isinstance(raw, bytes | bytearray):
        raise ValueError("an array without bytes")
    return raw


def _encode(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes in an unsupported encoding")
    return text.encode("latin-1")


def _in_every(module: str, name: str, make: Maker) -> dict[str, Maker]:
    """A maker under the names that a module has in older and newer releases of NumPy."""
    return {f"numpy.{core}.{module}.{name}": make for core in ("core", "_core")}


def _record(name: str) -> Maker:
    return lambda *args: Record(name, args)


def _set(items: object = ()) -> set[Any]:
    if not isinstance(items, list | tuple | set | frozenset):
        raise ValueError("a set whose items are not a list")
    return set(simple(list(items)))


def _object(kind: object, base: object, state: object) -> object:
    """An object as pickle protocols 0 and 1 store it: its class, the built-in base class, and the base's content."""
    if not isinstance(kind, Global) or not isinstance(base, Global):
        raise ValueError("an object without a class")
    made = kind.make()
    if base.name.endswith(".dict") and isinstance(state, dict):
        if isinstance(made, Record):
            made.items.update(state)
        elif isinstance(made, dict):
            made.update(state)
    return made


def _raw_bytes(text: object = b"", encoding: object = "latin-1") -> bytes | bytearray:
    return text if isinstance(text, bytes | bytearray) else _encode(text, encoding)


MAKERS: dict[str, Maker] = {
    "numpy.dtype": _record("dtype"),
    "numpy.ndarray": _record("ndarray"),
    "_codecs.encode": _encode,
    **{f"{module}.set": _set for module in BUILT_IN},
    **{f"{module}.frozenset": lambda items=(): frozenset(_set(items)) for module in BUILT_IN},
    **{f"{module}.{name}": _raw_bytes for module in BUILT_IN for name in ("bytes", "bytearray")},
    **{f"{module}._reconstructor": _object for module in ("copyreg", "copy_reg")},
    **_in_every("multiarray", "_reconstruct", _record("_reconstruct")),
    **_in_every("multiarray", "scalar", _scalar),
    **_in_every("numeric", "_frombuffer", _record("_frombuffer")),
}
"""Harmless replacements for the globals that pickles of arrays name."""
