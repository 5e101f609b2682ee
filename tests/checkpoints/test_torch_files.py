import argparse
import io
import os
import pathlib
import pickle
import zipfile
from collections import OrderedDict
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


@pytest.fixture(params=[True, False], ids=["zip", "old"])
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[object], Path]:
    def write(content: object) -> Path:
        torch.save(content, tmp_path / "file.pt", _use_new_zipfile_serialization=request.param)
        return tmp_path / "file.pt"

    return write


def test_a_file_comes_back_equal(save: Callable[[object], Path]) -> None:
    path = save(CONTENT)
    found = read_torch_file(path)
    assert is_torch_file(path)
    assert found["count"] == 3
    assert found["opts"].output_size == 64
    for name, tensor in CONTENT["tensors"].items():  # type: ignore[attr-defined]
        assert torch.equal(found["tensors"][name], tensor)


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
    with pytest.raises(RefusedError, match=r"the global torch\.StrangeStorage"):
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


def test_a_storage_within_another_file_is_read() -> None:
    blob = io.BytesIO()
    storage = torch.storage.TypedStorage(
        wrap_storage=torch.arange(4.0).untyped_storage(), dtype=torch.float32, _internal=True
    )
    torch.save(storage, blob, _use_new_zipfile_serialization=False)
    assert torch.equal(read_storage(blob.getvalue()), torch.arange(4.0))


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (5,), (1,)), (2, (3,), (1,)), (0, (2, 3), (3, 1)), (-1, (1,), (1,)), (0, (1,), ())],
)
def test_a_view_stays_within_its_storage(offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="tensor"):
        view(torch.zeros(4), offset, size, stride)


def test_a_view_is_what_it_says() -> None:
    assert torch.equal(view(torch.arange(6.0), 1, (2, 2), (1, 2)), torch.tensor([[1.0, 3.0], [2.0, 4.0]]))
    assert view(torch.zeros(4), 0, (0, 100), (1, 1)).shape == (0, 100)
