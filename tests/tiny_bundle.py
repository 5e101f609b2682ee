"""Fixture: a bundle of networks of a few numbers, and the same in NumPy."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from latentloop.runtime.arrays import Floats

SIZE, NUM_WS, W_DIM = 8, 4, 8
NUMBERS = NUM_WS * W_DIM
FINGERPRINT = "cac4c956bbb78d3d"
Bundle = Callable[..., Path]
GENERATOR = {
    "name": "tiny",
    "resolution": SIZE,
    "num_ws": NUM_WS,
    "w_dim": W_DIM,
    "z_dim": W_DIM,
    "fingerprint": "0123456789abcdef",
    "licence": "none",
}


@dataclass(frozen=True)
class Tiny:
    """Networks of one matrix each."""

    drawing: Floats
    embedding: Floats
    mapping: Floats

    def draw(self, w_plus: Floats) -> Floats:
        image: Floats = np.tanh(w_plus.reshape(-1, NUMBERS) @ self.drawing).reshape(-1, 3, SIZE, SIZE)
        return image

    def embed(self, image: Floats) -> Floats:
        codes: Floats = (image.reshape(-1, 3 * SIZE**2) @ self.embedding).reshape(-1, NUM_WS, W_DIM)
        return codes


@pytest.fixture
def tiny() -> Tiny:
    randomness = np.random.default_rng(0)
    shapes = [(NUMBERS, 3 * SIZE**2), (3 * SIZE**2, NUMBERS), (W_DIM, NUMBERS)]
    return Tiny(*(0.2 * randomness.standard_normal(shape).astype(np.float32) for shape in shapes))


@pytest.fixture
def tiny_bundle(tiny: Tiny, tmp_path: Path) -> Bundle:
    """Makes a bundle; its proposal network sees no face anywhere."""

    def make(name: str = "bundle", *, parts: Sequence[str] = (), **about: Any) -> Path:  # noqa: ANN401
        folder = tmp_path / name
        folder.mkdir()
        image, codes = [-1, 3, SIZE, SIZE], [-1, NUM_WS, W_DIM]
        graphs = {
            "generator": _product(tiny.drawing, {"w_plus": codes}, "image", image, tanh=True),
            "embedder": _product(tiny.embedding, {"image": image}, "w_plus", codes),
            "second_look": _again(),
            "mapping": _product(tiny.mapping, {"z": [-1, W_DIM], "truncation_psi": []}, "w_plus", codes),
            "proposal": _no_faces(),
        }
        for part in parts or graphs:
            onnx.save(graphs[part], folder / f"{part}.onnx")
        files: dict[str, Any] = {f"{part}.onnx": {} for part in parts or graphs}
        entries = {"generator": GENERATOR, "embedder": {"name": "tiny", "resolution": SIZE}, "files": files, **about}
        (folder / "bundle.json").write_text(json.dumps(entries), encoding="utf-8")
        return folder

    return make


def _value(name: str, shape: Sequence[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None if n < 0 else n for n in shape])


def _model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int]],
    outputs: Mapping[str, Sequence[int]],
    arrays: Mapping[str, npt.NDArray[Any]],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [_value(*one) for one in inputs.items()],
        [_value(*one) for one in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _product(
    matrix: Floats, inputs: Mapping[str, Sequence[int]], output: str, shape: Sequence[int], *, tanh: bool = False
) -> onnx.ModelProto:
    first, *others = inputs
    nodes = [
        helper.make_node("Flatten", [first], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["product"]),
        helper.make_node("Tanh" if tanh else "Identity", ["product"], ["values"]),
        helper.make_node("Reshape", ["values", "shape"], ["whole" if others else output]),
        *(helper.make_node("Mul", ["whole", other], [output]) for other in others),
    ]
    return _model(nodes, inputs, {output: shape}, {"matrix": matrix, "shape": np.array(shape, np.int64)})


def _again() -> onnx.ModelProto:
    """What `first` is, and the mean difference between the images more."""
    image = [-1, 3, SIZE, SIZE]
    nodes = [
        helper.make_node("Sub", ["image", "drawn"], ["wrong"]),
        helper.make_node("ReduceMean", ["wrong", "axes"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["offset"]),
        helper.make_node("Add", ["first", "offset"], ["w_plus"]),
    ]
    codes = [-1, NUM_WS, W_DIM]
    arrays = {"axes": np.array([1, 2, 3]), "shape": np.array([-1, 1, 1])}
    return _model(nodes, {"image": image, "drawn": image, "first": codes}, {"w_plus": codes}, arrays)


def _no_faces() -> onnx.ModelProto:
    nodes = [
        helper.make_node("MaxPool", ["image"], ["small"], kernel_shape=[12, 12], strides=[2, 2]),
        helper.make_node("ReduceMean", ["small", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["scores"]),
        helper.make_node("Gather", ["small", "zero"], ["first"], axis=1),
        helper.make_node("Concat", ["small", "first"], ["corrections"], axis=1),
    ]
    arrays = {"axes": np.array([1]), "nothing": np.zeros(1, np.float32), "zero": np.array([0])}
    return _model(nodes, {"image": [-1, 3, -1, -1]}, {"scores": [-1, -1, -1], "corrections": [-1, 4, -1, -1]}, arrays)
