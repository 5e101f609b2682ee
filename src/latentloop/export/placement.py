"""Where a graph keeps its weights: inside, or in a safetensors file beside it that several graphs share."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from latentloop.export.options import Storage
from latentloop.safetensors_header import METADATA
from latentloop.weights import KIND

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Array = npt.NDArray[Any]
SMALL = 64
"""Numbers up to which an array stays in float32 and in the graph."""
MANY = 1 << 20
"""Numbers from which on an array may be stored in int8."""
ROW = 64
"""Least numbers that have a scale of their own."""
STORED, SCALES = ".stored", ".scales"
"""What is added to the name of an array for how it is stored, and for its scales."""
LARGEST = float(np.finfo(np.float16).max)
SHARED = "weights.safetensors"
"""File of the weights that the graphs of a folder share."""


@dataclass(frozen=True)
class Place:
    """Where the bytes of an array lie."""

    file: str
    """Name of the file, beside that of the graph."""
    offset: int
    """Bytes before them."""
    length: int
    """Their number."""


def compress(model: "ModelProto", storage: Storage, *, exact: bool = False) -> None:
    """Store the large arrays of a graph in a smaller type; it still computes in float32.

    float16: arrays with numbers beyond its range stay in float32. int8: arrays of at least a million numbers, with
    scales; the others in float16.

    Args:
        model: The graph.
        storage: The type.
        exact: Leave arrays in float32 that float16 would change.
    """
    if storage == "float32":
        return
    from onnx import numpy_helper

    restoring: list[NodeProto] = []
    for tensor in [one for one in large_arrays(model) if numpy_helper.to_array(one).dtype == np.float32]:
        array, name = numpy_helper.to_array(tensor), tensor.name
        if storage == "int8" and array.size >= MANY:
            stored, scales = _rounded(array)
            model.graph.initializer.append(numpy_helper.from_array(scales, name + SCALES))
            nodes = _multiplied(name)
        elif np.abs(array).max() <= LARGEST and not (exact and (array.astype(np.float16) != array).any()):
            stored, nodes = array.astype(np.float16), [_cast(name + STORED, name)]
        else:
            continue
        tensor.CopyFrom(numpy_helper.from_array(stored, name + STORED))
        restoring += nodes
    nodes = [*restoring, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _rounded(array: Array) -> tuple[Array, Array]:
    """An array as whole numbers of 8 bits, and the scales of its rows, which broadcast with them."""
    # As fine as leaves a scale enough numbers to be worth its four bytes.
    first = next((axis for axis in range(array.ndim, 0, -1) if prod(array.shape[axis:]) >= ROW), 0)
    rows = np.abs(array).max(axis=tuple(range(first, array.ndim)), keepdims=True)
    scales = np.maximum(rows, np.finfo(np.float32).tiny) / 127
    return np.round(array / scales).astype(np.int8), scales.astype(np.float32)


def _cast(before: str, after: str) -> "NodeProto":
    from onnx import TensorProto, helper

    return helper.make_node("Cast", [before], [after], name=after + ".cast", to=TensorProto.FLOAT)


def _multiplied(name: str) -> list["NodeProto"]:
    """Nodes that make the array of a name of its whole numbers and scales; runtimes do it once, when they load it."""
    from onnx import helper

    whole = name + ".whole"
    return [_cast(name + STORED, whole), helper.make_node("Mul", [whole, name + SCALES], [name], name=name + ".scale")]


def share(models: Mapping[str, "ModelProto"]) -> bytes:
    """Take the large arrays out of graphs, equal ones once; the graphs refer to the file `SHARED` in their folder.

    Args:
        models: The graphs by the names of their parts, with which the arrays' names begin.

    Returns:
        The content of the file, as safetensors.
    """
    from onnx import numpy_helper

    tensors = {f"{part}.{one.name}": one for part, model in models.items() for one in large_arrays(model)}
    arrays = {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items()}
    first = {digest_of(array.tobytes()): name for name, array in reversed(arrays.items())}
    content = save({name: arrays[name] for name in first.values()}, {KIND: "onnx"})
    places = places_in(content, SHARED)
    for name, tensor in tensors.items():
        move_out(tensor, places[digest_of(arrays[name].tobytes())])
    return content


def places_in(content: bytes, name: str) -> dict[str, Place]:
    """Find the arrays of a safetensors file: where they lie, by the digests of their bytes.

    Args:
        content: Content of the file.
        name: Its name.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    ends = [one["data_offsets"] for key, one in header.items() if key != METADATA]
    return {
        digest_of(content[start + begin : start + end]): Place(name, start + begin, end - begin) for begin, end in ends
    }


def move_out(tensor: "TensorProto", place: Place) -> None:
    """Make an array of a graph refer to its bytes in a file."""
    from onnx import TensorProto

    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", place.file), ("offset", place.offset), ("length", place.length)):
        tensor.external_data.add(key=key, value=str(value))


def large_arrays(model: "ModelProto") -> list["TensorProto"]:
    """The arrays of a graph that hold more than a few numbers."""
    return [one for one in model.graph.initializer if prod(one.dims) > SMALL]


def digest_of(content: bytes) -> str:
    """Compute what tells the bytes of an array from those of others."""
    return hashlib.sha256(content).hexdigest()
