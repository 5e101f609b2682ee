import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from latentloop.errors import UserError
from latentloop.web_site.packing import EXACT, pack, rounded

pytest.importorskip("onnx", reason="networks are packed where onnx is installed")

import onnx
from onnx import TensorProto, helper, numpy_helper


def graph(path: Path, *tensors: onnx.TensorProto) -> Path:
    """An ONNX file with tensors that nothing uses."""
    identity = helper.make_node("Identity", ["x"], ["y"])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    model = helper.make_model(helper.make_graph([identity], "g", [x], [y], list(tensors)))
    path.write_bytes(model.SerializeToString())
    return path


def tensor(name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> onnx.TensorProto:
    return numpy_helper.from_array(values, name)


def unpacked(content: bytes) -> tuple[dict[str, onnx.ModelProto], bytes]:
    """Graphs and weights of a pack, by the format's description alone."""
    whole = gzip.decompress(content)
    start = 4 + int.from_bytes(whole[:4], "little")
    index, rest = json.loads(whole[4:start]), whole[start:]
    graphs = {name: onnx.load_model_from_string(rest[a:b]) for name, (a, b) in index["graphs"].items()}
    first, last = index["weights"]
    halves = rest[first:last]
    weights = bytearray(len(halves))
    weights[::2], weights[1::2] = halves[: len(halves) // 2], halves[len(halves) // 2 :]
    return graphs, bytes(weights)


def content_of(model: onnx.ModelProto, name: str, weights: bytes) -> bytes:
    (found,) = [one for one in model.graph.initializer if one.name == name]
    place = {entry.key: entry.value for entry in found.external_data}
    assert place["location"] == "weights"
    return weights[int(place["offset"]) : int(place["offset"]) + int(place["length"])]


def test_a_pack_gives_back_its_weights(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    half, single = random.normal(size=(20, 40)).astype(np.float16), random.normal(size=400).astype(np.float32)
    odd = random.integers(0, 255, 1025).astype(np.uint8)
    path = graph(tmp_path / "one", tensor("odd", odd), tensor("half", half), tensor("single", single))
    graphs, weights = unpacked(pack({"one": path}))
    for name, values in (("half", half), ("single", single), ("odd", odd)):
        assert content_of(graphs["one"], name, weights) == values.tobytes()


def test_what_two_graphs_share_is_stored_once(tmp_path: Path) -> None:
    shared = np.random.default_rng(0).normal(size=4000).astype(np.float16)
    one = graph(tmp_path / "one", tensor("a", shared))
    two = graph(tmp_path / "two", tensor("b", shared), tensor("c", -shared))
    graphs, weights = unpacked(pack({"one": one, "two": two}))
    assert len(weights) == 2 * shared.nbytes
    assert content_of(graphs["one"], "a", weights) == content_of(graphs["two"], "b", weights)


def test_large_tensors_are_rounded_and_others_are_not(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    large, small = (random.normal(size=EXACT + more).astype(np.float16) for more in (1, 0))
    path = graph(tmp_path / "one", tensor("large", large), tensor("small", small))
    graphs, weights = unpacked(pack({"one": path}, significant_bits={"one": 8}))
    assert content_of(graphs["one"], "small", weights) == small.tobytes()
    assert content_of(graphs["one"], "large", weights) == rounded(large, 3).tobytes()


def test_small_tensors_stay_in_their_graph(tmp_path: Path) -> None:
    values = np.arange(100, dtype=np.float32)
    graphs, weights = unpacked(pack({"one": graph(tmp_path / "one", tensor("few", values))}))
    np.testing.assert_array_equal(numpy_helper.to_array(graphs["one"].graph.initializer[0]), values)
    assert weights == b""


def test_rounding_goes_to_the_nearest_number_of_fewer_bits() -> None:
    values = np.random.default_rng(0).normal(size=10_000).astype(np.float16)
    mantissa, exponent = np.frexp(values.astype(np.float64))
    wanted = np.ldexp(np.round(mantissa * 2**8), exponent - 8)
    np.testing.assert_array_equal(rounded(values, 3).astype(np.float64), wanted)


def test_other_numbers_are_not_rounded() -> None:
    values = np.random.default_rng(0).normal(size=300).astype(np.float32)
    assert rounded(values, 3) is values


def test_weights_beside_a_graph_are_packed_too(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    model = onnx.load(graph(tmp_path / "whole", tensor("w", values)))
    onnx.save(model, tmp_path / "one", save_as_external_data=True, location="beside", size_threshold=0)
    graphs, weights = unpacked(pack({"one": tmp_path / "one"}))
    assert content_of(graphs["one"], "w", weights) == values.tobytes()


def test_the_same_graphs_give_the_same_bytes(tmp_path: Path) -> None:
    path = graph(tmp_path / "one", tensor("a", np.ones(2000, np.float16)))
    assert pack({"one": path}) == pack({"one": path})


def test_what_is_no_graph_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "generator.onnx").write_bytes(b"\xff\xff\xff")
    with pytest.raises(UserError, match=r"generator\.onnx: not an ONNX file"):
        pack({"generator": tmp_path / "generator.onnx"})
