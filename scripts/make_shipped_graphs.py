"""Write the ONNX graphs with which latentloop-lite computes the networks that ship, without PyTorch.

    python scripts/make_shipped_graphs.py

A graph holds no weights but small ones: for the others it refers to the safetensors files of the package, beside which
it lies, so that nothing ships twice. Make the graphs again whenever such a file changes; a test fails until then.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tyro
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from latentloop.export import ExportOptions, set_up_export
from latentloop.export.about import describe
from latentloop.export.checking import check_graph
from latentloop.export.graph import export_graph
from latentloop.export.options import PartName
from latentloop.export.placement import Place, digest_of, halve, large_arrays, move_out, places_in
from latentloop.export.run import BUNDLE, listed_as, write
from latentloop.ownership import MARK, mark
from latentloop.weights import ASSETS

Array = npt.NDArray[Any]
PARTS: tuple[PartName, ...] = ("generator", "mapping", "embedder", "faces", "identity")
FILES = ("mobile-ffhq-1024", "base-ffhq", "lpips-alex", "mobilefacenet", "mtcnn")
"""Weights files of the package that the graphs may refer to."""


def refer(model: ModelProto, places: Mapping[str, Place]) -> int:
    """Make the arrays of a graph refer to the files that hold their bytes; returns the bytes of those in none."""
    nodes, left = [], 0
    for tensor in large_arrays(model):
        if place := places.get(digest_of(tensor.raw_data)):
            move_out(tensor, place)
        elif place := places.get(digest_of(by_channel(tensor).tobytes())):
            nodes.append(rows_reordered(model, tensor, place))
        elif place := places.get(digest_of(upper_halves(tensor))):
            tensor.data_type = TensorProto.FLOAT8E5M2
            move_out(tensor, place)
        else:
            left += len(tensor.raw_data)
    nodes += model.graph.node
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return left


def band_after_band(rows: int) -> Array:
    """Places in the file of a MobileStyleGAN's rows, which become wavelet bands; there they lie by channels."""
    channels = max(rows // 4, 1)
    high = np.arange(channels, 4 * channels).reshape(channels, 3)
    return np.concatenate([np.arange(channels), high.T.ravel()])


def by_channel(tensor: TensorProto) -> Array:
    """An array with its rows as they would lie in the file of a MobileStyleGAN."""
    array = numpy_helper.to_array(tensor)
    return array if len(array) % 4 else array[np.argsort(band_after_band(len(array)))]


def rows_reordered(model: ModelProto, tensor: TensorProto, place: Place) -> NodeProto:
    """Read an array from a file where its rows lie by channels; returns the node that brings them into our order."""
    index, rows = f"bands.{tensor.dims[0]}", tensor.dims[0]
    if index not in {one.name for one in model.graph.initializer}:
        model.graph.initializer.append(numpy_helper.from_array(band_after_band(rows).astype(np.int32), index))
    name = tensor.name
    tensor.name = f"{name}.file"
    move_out(tensor, place)
    return helper.make_node("Gather", [tensor.name, index], [name], name=f"{name}.rows", axis=0)


def upper_halves(tensor: TensorProto) -> bytes:
    """An array of float16 in eight bits of the same exponent, if that loses nothing; else nothing."""
    raw = tensor.raw_data
    return raw[1::2] if tensor.data_type == TensorProto.FLOAT16 and not any(raw[::2]) else b""


def main(out: Path = ASSETS) -> None:
    """Write the graphs and bundle.json.

    Args:
        out: Folder of the weights files.
    """
    contents = {f"{name}.safetensors": (ASSETS / f"{name}.safetensors").read_bytes() for name in FILES}
    places = {digest: place for name, one in contents.items() for digest, place in places_in(one, name).items()}
    job, files = set_up_export(PARTS, out, ExportOptions()), {}
    for part in job.parts:
        model = export_graph(part)
        difference = check_graph(part, model)
        halve(model, exact=True)
        left = refer(model, places)
        describe(model, part, job.about["generator"], half=True)
        content = model.SerializeToString()
        write(out / f"{part.name}.onnx", content)
        files[f"{part.name}.onnx"] = content
        print(f"{part.name}: {len(content):,} bytes, {left:,} of them weights; differs by {difference:.1g}", flush=True)
    listed = {name: listed_as(one) for name, one in (files | contents).items()}
    write(out / BUNDLE, json.dumps({MARK: mark("export"), **job.about, "files": listed}, indent=1).encode())


if __name__ == "__main__":
    tyro.cli(main)
