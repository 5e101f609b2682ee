import json
from pathlib import Path

import pytest

from latentloop.errors import UserError
from latentloop.training.checkpoint import load_checkpoint
from latentloop.weights import WeightsFile, read_weights

NUMBER = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
DEEP = '{"__metadata__": ' + "[" * 50_000 + "]" * 50_000 + "}"
HEADERS = [
    json.dumps({"a": {**NUMBER, "shape": [1] * 70}}),
    json.dumps({"a": {**NUMBER, "dtype": "F4", "shape": [8]}}),
    json.dumps({"a": {"dtype": "C64", "shape": [1], "data_offsets": [0, 4]}}),
    json.dumps({"a": {**NUMBER, "dtype": [1]}}),
    json.dumps({"a": 5}),
    "[]",
    DEEP,
]


def safetensors(path: Path, header: str) -> Path:
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(4))
    return path


@pytest.mark.parametrize("header", HEADERS)
def test_odd_headers_are_refused(tmp_path: Path, header: str) -> None:
    file = safetensors(tmp_path / "odd.safetensors", header)
    with pytest.raises(UserError, match=r"odd\.safetensors: not a readable safetensors file"):
        read_weights(WeightsFile(file))
    with pytest.raises(UserError, match=r"odd\.safetensors: not a checkpoint"):
        load_checkpoint(file, kind="collaboration", config={})


def test_a_header_of_very_many_tensors_is_refused(tmp_path: Path) -> None:
    many = {f"t{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(80_000)}
    file = safetensors(tmp_path / "many.safetensors", json.dumps(many))
    with pytest.raises(UserError, match="a header of"):
        read_weights(WeightsFile(file))


def test_a_deep_state_is_refused(tmp_path: Path) -> None:
    entry = {"format": 2, "kind": "collaboration", "config": {}, "state": 0}
    deep = json.dumps(entry).replace('"state": 0', '"state": ' + "[" * 900 + "]" * 900)
    file = safetensors(tmp_path / "deep.safetensors", json.dumps({"__metadata__": {"latentloop": deep}, "a": NUMBER}))
    with pytest.raises(UserError, match="not a checkpoint"):
        load_checkpoint(file, kind="collaboration", config={})
