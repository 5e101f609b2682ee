import hashlib
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from latentloop.errors import UserError
from latentloop.weights import WeightsFile, read_weights, with_weights


def tensors() -> dict[str, Tensor]:
    randomness = torch.Generator().manual_seed(0)
    return {"weight": torch.randn(4, 3, generator=randomness), "bias": torch.randn(4, generator=randomness)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    save_file(tensors(), path, {"source": "here"})
    return path


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def on_meta() -> nn.Linear:
    with torch.device("meta"):
        return nn.Linear(3, 4)


@pytest.mark.parametrize("known", [True, False])
def test_tensors_and_metadata_are_read_as_they_were_saved(file: Path, known: bool) -> None:
    weights = read_weights(WeightsFile(file, sum_of(file) if known else None))
    assert weights.metadata == {"source": "here"}
    assert weights.tensors.keys() == tensors().keys()
    for name, tensor in tensors().items():
        torch.testing.assert_close(weights.tensors[name], tensor, rtol=0, atol=0)


def test_a_file_without_metadata_is_read(file: Path) -> None:
    save_file(tensors(), file)
    assert read_weights(WeightsFile(file)).metadata == {}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64])
def test_whatever_is_stored_comes_as_float32(file: Path, dtype: torch.dtype) -> None:
    save_file({"x": torch.tensor([-2.0, 0.0, 7.0], dtype=dtype)}, file)
    found = read_weights(WeightsFile(file)).tensors["x"]
    torch.testing.assert_close(found, torch.tensor([-2.0, 0.0, 7.0]), rtol=0, atol=0)


def test_a_wrong_checksum_is_told_with_both_sums(file: Path) -> None:
    message = rf"net\.safetensors: wrong or damaged, its sha256 is {sum_of(file)}, not {'0' * 64}; install it again"
    with pytest.raises(UserError, match=message):
        read_weights(WeightsFile(file, "0" * 64))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"net\.safetensors: no such weights file"):
        read_weights(WeightsFile(tmp_path / "net.safetensors"))


@pytest.mark.parametrize("kept", [0, 4, 40, -1])
def test_a_truncated_file_is_refused(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(
        UserError, match=rf"net\.safetensors: not a readable safetensors file \(sha256 {sum_of(file)}\)"
    ):
        read_weights(WeightsFile(file))


def test_a_file_of_another_kind_is_refused(file: Path) -> None:
    torch.save(tensors(), file)
    with pytest.raises(UserError, match="not a readable safetensors file"):
        read_weights(WeightsFile(file))


def test_a_module_takes_its_tensors_frozen_and_in_evaluation_mode() -> None:
    module = with_weights(on_meta(), tensors())
    x = torch.ones(1, 3)
    torch.testing.assert_close(module(x), tensors()["weight"].sum(dim=1)[None] + tensors()["bias"])
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weight": torch.zeros(4, 3)}, 'Missing key(s) in state_dict: "bias"'),
        (tensors() | {"scale": torch.zeros(4)}, 'Unexpected key(s) in state_dict: "scale"'),
        (tensors() | {"bias": torch.zeros(5)}, "size mismatch for bias"),
    ],
    ids=["missing", "extra", "of another shape"],
)
def test_tensors_that_do_not_fit_the_module_are_refused(given: dict[str, Tensor], message: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape(message)):
        with_weights(on_meta(), given)
