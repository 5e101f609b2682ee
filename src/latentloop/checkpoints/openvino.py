"""Constants of an OpenVINO IR model (version 10), read with the standard library and NumPy."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latentloop.errors import UserError

DTYPES = {"f32": "<f4", "f16": "<f2", "i64": "<i8", "i32": "<i4"}


@dataclass(frozen=True)
class Constant:
    """A constant of the graph."""

    name: str
    value: npt.NDArray[np.generic]


def read_constants(xml: Path) -> list[Constant]:
    """Constants of the model `xml`, in the order of its graph; their bytes come from the `.bin` beside it.

    Raises:
        UserError: The pair is missing, is not an IR model, or the `.bin` is shorter than the model says.
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
        if offset + size > len(blob) or size != dtype.itemsize * int(np.prod(shape)):
            raise UserError(f"{xml}: constant {layer.get('name')} does not fit its .bin file: truncated?")
        value = np.frombuffer(blob, dtype, count=size // dtype.itemsize, offset=offset).reshape(shape)
        yield Constant(layer.attrib["name"], value)
