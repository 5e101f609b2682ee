"""Reading the weights of an OpenVINO IR model (version 10) with the standard library and NumPy."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latentloop.errors import UserError

DTYPES = {"f32": "<f4", "f16": "<f2", "i64": "<i8", "i32": "<i4"}
"""NumPy's names of OpenVINO's element types, little-endian."""


@dataclass(frozen=True)
class Constant:
    """A named array of an OpenVINO graph, such as the weights of a layer."""

    name: str
    """Name of the constant in the graph."""
    value: npt.NDArray[np.generic]
    """The array, in the model's element type and shape."""


def read_constants(xml: Path) -> list[Constant]:
    """Read the constants of an OpenVINO model, in the order of its graph.

    Args:
        xml: File of the graph; the constants' bytes are in the `.bin` file of the same name beside it.

    Raises:
        UserError: One of the two files is missing or not an IR model, or the `.bin` file is truncated.
    """
    try:
        layers = ET.parse(xml).getroot().find("layers")  # noqa: S314 - expat refuses entity bombs since 2.4.1
        blob = xml.with_suffix(".bin").read_bytes()
    except (OSError, ET.ParseError) as error:
        raise UserError(f"{xml}: not a readable OpenVINO model (.xml and .bin): {error}") from error
    if layers is None:
        raise UserError(f"{xml}: not an OpenVINO model: it has no <layers>")
    try:
        return list(_constants(xml, layers, blob))
    except (LookupError, ValueError) as error:
        raise UserError(f"{xml}: not an OpenVINO model of version 10: {error}") from error


def _constants(xml: Path, layers: ET.Element, blob: bytes) -> Iterator[Constant]:
    for layer in layers.iterfind("layer[@type='Const']"):
        data = layer.find("data")
        if data is None:
            raise UserError(f"{xml}: constant {layer.get('name')} has no data")
        shape = [int(n) for n in data.attrib["shape"].split(",") if n.strip()]
        dtype = np.dtype(DTYPES[data.attrib["element_type"]])
        offset, size = int(data.attrib["offset"]), int(data.attrib["size"])
        if offset + size > len(blob) or size != dtype.itemsize * int(np.prod(shape)):  # np.prod of () is 1, a scalar
            raise UserError(f"{xml}: constant {layer.get('name')} does not fit its .bin file: truncated?")
        value = np.frombuffer(blob, dtype, count=size // dtype.itemsize, offset=offset).reshape(shape)
        yield Constant(layer.attrib["name"], value)
