import argparse
import io
import os
import pathlib
import pickle
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from latentloop.checkpoints.pickle_machine import RefusedError
from latentloop.checkpoints.torch_files import is_torch_file, read_storage, read_torch_file, view

CONTENT = {
    "tensors": OrderedDict(a=torch.arange(6.0).reshape(2, 3).t(), b=torch.ones(3, dtype=torch.float16)),
    "count": 3,
    "opts": argparse.Namespace(output_size=64, exp_dir=pathlib.PurePosixPath("x"), best=np.float64(0.5)),
}


class Evil:
    """Would leave a mark."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture(params=["zip", "zip of protocol 4", "old"])
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[object], Path]:
    def write(content: object) -> Path:
        zipped, protocol = request.param != "old", 4 if "4" in request.param else 2
        path = tmp_path / "file.safetensors"  # a name says nothing
        torch.save(content, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
        return path

    return write


def test_a_file_comes_back_equal(save: Callable[[object], Path]) -> None:
    path = save(CONTENT)
    found = read_torch_file(path)
    assert is_torch_file(path)
    assert found["count"] == 3
    assert found["opts"].name == "argparse.Namespace"
    assert found["opts"].state["output_size"] == 64
    assert found["opts"].state["best"] == 0.5
    for name, tensor in CONTENT["tensors"].items():  # type: ignore[attr-defined]
        assert torch.equal(found["tensors"][name], tensor)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
def test_numbers_of_every_type_come_back_equal(save: Callable[[object], Path], dtype: torch.dtype) -> None:
    tensor = torch.arange(6).to(dtype).reshape(2, 3)
    found = read_torch_file(save([tensor[:, 1:], tensor, torch.nn.Parameter(torch.zeros(2)), torch.empty(0, 3)]))
    assert torch.equal(found[0], tensor[:, 1:])
    assert torch.equal(found[1], tensor)
    assert found[0].dtype == dtype
    assert found[3].shape == (0, 3)


def test_what_would_run_is_named_and_not_run(save: Callable[[object], Path], tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"the global (posix|nt)\.mkdir"):
        read_torch_file(save({"g_ema": {}, "args": Evil(tmp_path / "mark")}))
    assert not (tmp_path / "mark").exists()


def test_a_truncated_file_is_an_error(save: Callable[[object], Path]) -> None:
    path = save({"a": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises((ValueError, LookupError, OSError, zipfile.BadZipFile)):
        read_torch_file(path)


def claiming(kind: str, count: int) -> bytes:
    """An old file's beginning, for a storage that claims so many numbers."""
    constants: tuple[object, ...] = (0x1950A86A20F9469CFC6C, 1001, {})
    stream = b"".join(pickle.dumps(constant, protocol=2) for constant in constants)
    return (
        stream
        + b"\x80\x02(X\x07\x00\x00\x00storagec"
        + kind.encode()
        + b"\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
        + (b"L%dL\nNtQ." % count)
    )


def test_a_storage_may_not_claim_more_than_there_is() -> None:
    with pytest.raises(ValueError, match="truncated: a tensor of 1099511627776 numbers"):
        read_storage(claiming("torch\nFloatStorage", 2**40))
    with pytest.raises(ValueError, match="a persistent id that is not a storage"):
        read_storage(claiming("torch\nStrangeStorage", 1))


def test_an_archive_may_not_claim_more_than_there_is(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(5, 7)}, tmp_path / "file.pt")
    with zipfile.ZipFile(tmp_path / "file.pt") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "file.pt", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content.replace(b"K#", b"K\xff") if name.endswith("data.pkl") else content)
    with pytest.raises(ValueError, match="truncated: a tensor of 255 numbers"):
        read_torch_file(tmp_path / "file.pt")


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(100_000))
    with pytest.raises(ValueError, match="compressed"):
        read_torch_file(tmp_path / "bomb.pt")


def test_a_file_is_what_it_begins_as(tmp_path: Path) -> None:
    old, new = tmp_path / "old.pt", tmp_path / "new.pt"
    torch.save([Evil(tmp_path / "mark")], old, _use_new_zipfile_serialization=False)
    torch.save([1], new)
    old.write_bytes(old.read_bytes() + new.read_bytes())  # at whose end others would look
    with pytest.raises(RefusedError, match=r"the global (posix|nt)\.mkdir"):
        read_torch_file(old)
    assert not (tmp_path / "mark").exists()


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    torch.save([1], tmp_path / "file.pt")
    with zipfile.ZipFile(tmp_path / "file.pt", "a") as archive:
        archive.writestr("file/DATA.pkl", pickle.dumps([2], protocol=2))
    with pytest.raises(ValueError, match="two entries of one name"):
        read_torch_file(tmp_path / "file.pt")


@pytest.mark.parametrize("keys", [Evil(Path("mark")), ["1"], 5])
def test_the_keys_of_an_old_file_are_data_too(tmp_path: Path, keys: object) -> None:
    torch.save([torch.zeros(2)], tmp_path / "file.pt", _use_new_zipfile_serialization=False)
    content = (tmp_path / "file.pt").read_bytes()
    place = content.index(b"\x80\x02]", 200)
    (tmp_path / "file.pt").write_bytes(content[:place] + pickle.dumps(keys, protocol=2))
    with pytest.raises((RefusedError, ValueError), match=r"mkdir|not those of the tensors"):
        read_torch_file(tmp_path / "file.pt")


class Tensor(torch.Tensor):
    """A class of tensors of its own."""


def test_tensors_with_attributes_are_plain_ones(save: Callable[[object], Path]) -> None:
    parameter = torch.nn.Parameter(torch.arange(3.0))
    parameter.gain = 2  # type: ignore[attr-defined]
    found = read_torch_file(save([parameter, torch.arange(3.0).as_subclass(Tensor)]))
    assert torch.equal(found[0], torch.arange(3.0))
    assert torch.equal(found[1], torch.arange(3.0))


def test_dicts_of_other_classes_are_plain_ones(save: Callable[[object], Path]) -> None:
    assert read_torch_file(save({"a": defaultdict(list, b=[1]), (8, 8): {2, 3}})) == {"a": {"b": [1]}, (8, 8): {2, 3}}


@pytest.mark.parametrize("kind", [torch.Size, OrderedDict, set, frozenset])
def test_what_is_made_of_a_list_is_not_made_of_a_tensor(
    kind: Callable[[object], object], save: Callable[[object], Path]
) -> None:
    class Long:
        def __reduce__(self) -> tuple[Any, ...]:
            return kind, (torch.empty(10**7, 0),)

    with pytest.raises(ValueError, match=r"not a list|not pairs"):
        read_torch_file(save(Long()))


def test_a_tensor_may_repeat_few_numbers_only(save: Callable[[object], Path]) -> None:
    assert read_torch_file(save(torch.ones(1).expand(18, 512))).shape == (18, 512)
    with pytest.raises(ValueError, match="truncated: a tensor reaches beyond its storage"):
        read_torch_file(save(torch.ones(1).expand(2000, 2000)))


def test_a_storage_within_another_file_is_read() -> None:
    blob = io.BytesIO()
    storage = torch.storage.TypedStorage(
        wrap_storage=torch.arange(4.0).untyped_storage(), dtype=torch.float32, _internal=True
    )
    torch.save(storage, blob, _use_new_zipfile_serialization=False)
    assert torch.equal(read_storage(blob.getvalue()), torch.arange(4.0))


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (5,), (1,)), (2, (3,), (1,)), (0, (2, 3), (3, 1)), (-1, (1,), (1,)), (0, (1,), ()), (0, (2**40, 1), (0, 1))],
)
def test_a_view_stays_within_its_storage(offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="tensor"):
        view(torch.zeros(4), offset, size, stride)


def test_a_view_is_what_it_says() -> None:
    assert torch.equal(view(torch.arange(6.0), 1, (2, 2), (1, 2)), torch.tensor([[1.0, 3.0], [2.0, 4.0]]))
    assert view(torch.zeros(4), 0, (0, 100), (1, 1)).shape == (0, 100)
