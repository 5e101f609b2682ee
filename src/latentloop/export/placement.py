"""Where a graph keeps its weights: inside, or in a safetensors file beside it that several graphs share."""

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
"""Numbers up to which an array stays in float32 and in the graph."""
HALF = ".half"
"""What is added to the name of an array that is stored in float16."""
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


def halve(model: "ModelProto", *, exact: bool = False) -> None:
    """Store the large arrays of a graph in float16; it still computes in float32.

    Arrays with numbers beyond the range of float16 stay as they are.

    Args:
        model: The graph.
        exact: Leave also those that float16 would change at all.
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
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


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
