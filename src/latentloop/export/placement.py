"""Placement of a graph's weights: inside, or in a safetensors file beside it that graphs share."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save

from latentloop.safetensors_header import METADATA
from latentloop.weights import KIND

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

SMALL = 64
"""Number of values up to which an array stays in float32 and in the graph."""
HALF = ".half"
"""Suffix of the names of arrays stored in float16."""
LARGEST = float(np.finfo(np.float16).max)
"""Largest finite float16 value."""
SHARED = "weights.safetensors"
"""File of weights that the graphs of a folder share."""


@dataclass(frozen=True)
class Place:
    """Location of an array's bytes."""

    file: str
    """Name of the file, in the graph's folder."""
    offset: int
    """Offset of the first byte."""
    length: int
    """Length of the array in bytes."""


def halve(model: "ModelProto", *, exact: bool = False) -> None:
    """Store the large arrays of a graph in float16; it still computes in float32.

    Arrays with values beyond the range of float16 are unchanged.

    Args:
        model: Graph to modify.
        exact: Also leave arrays unchanged that float16 would round.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in large_arrays(model):
        array, name = numpy_helper.to_array(tensor), tensor.name
        if array.dtype != np.float32 or np.abs(array).max() > LARGEST:
            continue
        if exact and (array.astype(np.float16) != array).any():
            continue
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), name + HALF))
        casts.append(helper.make_node("Cast", [name + HALF], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]  # ONNX wants nodes in topological order: casts before their uses
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def share(models: Mapping[str, "ModelProto"]) -> bytes:
    """Move the large arrays of graphs to the file `SHARED` in their folder, equal ones once.

    Args:
        models: Graphs by the names of their parts, which become prefixes of the arrays' names.

    Returns:
        Content of the file, as safetensors.
    """
    from onnx import numpy_helper

    tensors = {f"{part}.{one.name}": one for part, model in models.items() for one in large_arrays(model)}
    arrays = {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items()}
    # Reversed, so that the first name of equal arrays remains.
    first = {digest_of(array.tobytes()): name for name, array in reversed(arrays.items())}
    content = save({name: arrays[name] for name in first.values()}, {KIND: "onnx"})
    places = places_in(content, SHARED)
    for name, tensor in tensors.items():
        move_out(tensor, places[digest_of(arrays[name].tobytes())])
    return content


def places_in(content: bytes, name: str) -> dict[str, Place]:
    """Locate the arrays of a safetensors file, by the digests of their bytes.

    Args:
        content: Content of the file.
        name: Name of the file.
    """
    start = 8 + int.from_bytes(content[:8], "little")  # safetensors: header length, header, data
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
    """List the arrays of a graph with more than `SMALL` values."""
    return [one for one in model.graph.initializer if prod(one.dims) > SMALL]


def digest_of(content: bytes) -> str:
    """Compute a digest that identifies the bytes of an array."""
    return hashlib.sha256(content).hexdigest()
