import re

import pytest
import torch

from latentloop.defaults import Precision
from latentloop.devices import find_device, find_precision
from latentloop.errors import UserError

no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is available here")


def test_auto_finds_a_device_that_computes() -> None:
    assert (torch.ones(2, device=find_device("auto")) + 1).tolist() == [2, 2]


@pytest.mark.parametrize(("cuda", "mps", "chosen"), [(1, 1, "cuda"), (0, 1, "mps"), (0, 0, "cpu")])
def test_auto_prefers_cuda_then_mps_then_the_cpu(
    monkeypatch: pytest.MonkeyPatch, cuda: int, mps: int, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(cuda))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: bool(mps))
    assert find_device("auto") == torch.device(chosen)


def test_a_device_can_be_named() -> None:
    assert find_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    "name",
    [pytest.param("cuda", marks=no_cuda), "cuda:99", "nonsense", "cuda:x", "CPU", "fpga", "hpu", "meta", "", "0.5"],
)
def test_an_unavailable_device_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(UserError, match=rf"^device {re.escape(name)} is not available .*; auto finds one") as caught:
        find_device(name)
    assert caught.value.arguments == ("device",)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "device", "native", "chosen"),
    [
        ("auto", "cpu", True, torch.bfloat16),
        ("auto", "cpu", False, torch.float32),
        ("auto", "cuda", True, torch.float32),
        ("float32", "cpu", True, torch.float32),
        ("bfloat16", "cpu", False, torch.bfloat16),
    ],
)
def test_auto_draws_in_bfloat16_where_the_processor_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, name: Precision, device: str, native: bool, chosen: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native}, raising=False)
    assert find_precision(name, torch.device(device)) == chosen


def test_a_pytorch_that_tells_nothing_of_the_processor_draws_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert find_precision("auto", torch.device("cpu")) == torch.float32
