"""Packs of networks for the page: ONNX graphs with their weights, each stored once, in few bytes.

A pack is a gzip file of: the length of an index (4 bytes, little-endian), the index (JSON: offsets of the graphs and
the weights), the graphs, the weights. The weights' bytes at even offsets come before those at odd ones: in float16 the
odd bytes have the exponents, which repeat and so compress well. `web/src/networks/pack.ts` reads it.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from latentloop.errors import UserError, in_one_line
from latentloop.extras import load_extra
from latentloop.files import refuse_no_file

if TYPE_CHECKING:
    from onnx import TensorProto

WEIGHTS = "weights"
"""Name by which the graphs refer to their weights' file."""
LEAST = 1024
"""Size in bytes from which a tensor is stored with the weights; smaller ones stay in their graph."""
ALL_BITS = 11
"""Number of significant bits of float16."""
EXACT = 1 << 16
"""Number of values up to which a tensor keeps all its bits: small tensors matter most, and are a tenth of the bytes."""


def pack(graphs: Mapping[str, Path], *, significant_bits: Mapping[str, int] = MappingProxyType({})) -> bytes:
    """Pack ONNX files into one; tensors that several of them have are stored once.

    Args:
        graphs: Files by name; weights in files beside them are read, too.
        significant_bits: Number of significant bits that the large float16 tensors of a graph keep, 1 to 11; other
            graphs keep all.

    Raises:
        UserError: A file is missing or not an ONNX file, or the package onnx is not installed.
    """
    store = _Store()
    bits = {name: significant_bits.get(name, ALL_BITS) for name in graphs}
    parts = {name: _with_external_weights(path, store, bits[name]) for name, path in graphs.items()}
    weights = store.content()
    spans, start = dict[str, tuple[int, int]](), 0
    for name, part in (*parts.items(), (WEIGHTS, weights)):
        spans[name] = (start, start + len(part))
        start += len(part)
    index = json.dumps({"graphs": {name: spans[name] for name in parts}, "weights": spans[WEIGHTS]}).encode()
    content = b"".join([len(index).to_bytes(4, "little"), index, *parts.values(), weights[::2], weights[1::2]])
    return gzip.compress(content, 9, mtime=0)  # no time stamp: equal networks give equal packs


class _Store:
    """Tensors of several graphs in one file, equal ones once."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._places: dict[bytes, int] = {}
        self._end = 0

    def place(self, array: npt.NDArray[np.generic]) -> tuple[int, int]:
        """Store an array unless it is there; gives its place and its bytes."""
        content = np.ascontiguousarray(array).tobytes()
        key = hashlib.sha256(content).digest()
        if key not in self._places:
            self._places[key] = self._end
            self._parts.append(content + b"\0" * (len(content) % 2))  # even places stay the low bytes of float16
            self._end += len(self._parts[-1])
        return self._places[key], len(content)

    def content(self) -> bytes:
        return b"".join(self._parts)


def rounded(array: npt.NDArray[np.generic], dropped: int) -> npt.NDArray[np.generic]:
    """Round float16 values by dropping some significant bits, halves to even; other types are unchanged."""
    if array.dtype != np.float16 or not dropped:
        return array
    bits = np.ascontiguousarray(array).view(np.uint16).astype(np.uint32)
    # Half of the last kept bit, minus 1 if that bit is even; a carry into the exponent is the right rounding, too.
    bits += (1 << (dropped - 1)) - 1 + ((bits >> dropped) & 1)
    return (bits & ~np.uint32((1 << dropped) - 1)).astype(np.uint16).view(np.float16)


def _with_external_weights(path: Path, store: _Store, significant_bits: int) -> bytes:
    """Serialize an ONNX file with its larger tensors moved to a store."""
    onnx = load_extra("onnx", "the page's networks need onnx", "onnx")
    refuse_no_file(path, what="an ONNX file")
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's errors have no other common class
        raise UserError(f"{path}: not an ONNX file ({in_one_line(error)})") from error
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.nbytes >= LEAST:
            dropped = ALL_BITS - significant_bits if array.size > EXACT else 0
            _refer(tensor, *store.place(rounded(array, dropped)))
    serialized: bytes = model.SerializeToString()
    return serialized


def _refer(tensor: "TensorProto", offset: int, length: int) -> None:
    """Make a tensor refer to its bytes in the weights' file."""
    for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "external_data"):
        tensor.ClearField(field)
    tensor.data_location = tensor.EXTERNAL
    for key, value in (("location", WEIGHTS), ("offset", str(offset)), ("length", str(length))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
