import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from foreign_files import MARK
from latentloop.checkpoints.numpy_records import MAKERS, array_of
from latentloop.checkpoints.pickle_machine import Record, unpickle
from latentloop.checkpoints.reading import read_checkpoint
from latentloop.errors import UserError

TENSORS = {"mapping.fc0.weight": torch.randn(2, 3), "synthesis.b4.const": torch.randn(2, 4, 4)}
VARIABLES = {"dlatent_avg": torch.randn(3), "mapping/Dense0/weight": torch.randn(3, 2), "lod": torch.zeros(())}


def same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickled_module_gives_its_tensors_and_settings(write_nvidia: Callable[..., Path], protocol: int) -> None:
    network = read_checkpoint(write_nvidia(TENSORS, {"z_dim": 3, "psi": np.float64(0.5)}, protocol=protocol))
    assert same(network.tensors, TENSORS)
    assert network.settings == {"z_dim": 3, "psi": 0.5}


def test_which_generator_is_asked_for_is_given(write_nvidia: Callable[..., Path]) -> None:
    path = write_nvidia(TENSORS, {}, name="G")
    assert same(read_checkpoint(path, which="g").tensors, TENSORS)
    with pytest.raises(UserError, match=r"nvidia.pkl: has no generator g_ema, but G, D, G_ema"):
        read_checkpoint(path)


def test_a_pickled_triple_gives_the_mean_generator(write_tensorflow: Callable[..., Path]) -> None:
    network = read_checkpoint(write_tensorflow(VARIABLES, {"resolution": 8}))
    assert same(network.tensors, VARIABLES)
    assert network.settings == {"resolution": 8}


@pytest.mark.parametrize(
    ("content", "which"),
    [
        ({"g_ema": TENSORS, "d": {}, "g_optim": {}}, "g_ema"),
        ({"g": TENSORS, "g_ema": {}}, "g"),
        ({"generator_smooth": TENSORS, "generator": {}}, "g_ema"),
        (TENSORS, "g_ema"),
        ({"state_dict": {"encoder.x": torch.zeros(1)} | {f"decoder.{n}": t for n, t in TENSORS.items()}}, "g_ema"),
    ],
    ids=["rosinality", "rosinality g", "genforce", "flat", "encoder"],
)
def test_a_torch_file_gives_its_generator(content: object, which: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "file.anything")
    assert same(read_checkpoint(tmp_path / "file.anything", which=which).tensors, TENSORS)  # type: ignore[arg-type]


def test_the_mean_latent_comes_along(tmp_path: Path) -> None:
    torch.save({"g_ema": TENSORS, "latent_avg": torch.ones(3)}, tmp_path / "file.pt")
    assert torch.equal(read_checkpoint(tmp_path / "file.pt").tensors["latent_avg"], torch.ones(3))


def test_of_two_generators_the_one_asked_for_must_be_there(tmp_path: Path) -> None:
    torch.save({"g_ema": TENSORS, "latent_avg": torch.ones(3)}, tmp_path / "file.pt")
    with pytest.raises(UserError, match="has no generator g, but g_ema, latent_avg"):
        read_checkpoint(tmp_path / "file.pt", which="g")


@pytest.mark.parametrize("content", [TENSORS, {"state_dict": {f"decoder.{n}": t for n, t in TENSORS.items()}}])
def test_a_file_with_one_generator_has_no_other(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "file.pt")
    with pytest.raises(UserError, match="has only one generator, so g cannot be chosen"):
        read_checkpoint(tmp_path / "file.pt", which="g")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"d": TENSORS, "d_optim": {}}, "has no generator g_ema, but d, d_optim"),
        ([1, 2], "no network with a mean latent, but a list of 0 networks in 2 items"),
        ((TENSORS, None), "no network with a mean latent, but a tuple of 1 networks in 2 items"),
        (torch.zeros(1), "not a checkpoint of a generator, but a Tensor"),
        ({}, "has no generator g_ema, but nothing"),
        (SimpleNamespace(a=1), "not a checkpoint of a generator, but a types.SimpleNamespace"),
    ],
)
def test_what_has_no_generator_is_refused_in_one_line(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "file.pt")
    with pytest.raises(UserError, match=message) as caught:
        read_checkpoint(tmp_path / "file.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"\n<!DOCTYPE html>\n<html>", "a web page, not weights"),
        (b"<HTML><head>", "a web page, not weights"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12", "a Git LFS pointer: the weights are not here"),
        (b"<?xml version='1.0'?><Error/>", "an XML file, not weights"),
        (b"\x1f\x8b\x08\x00", "a compressed archive; unpack it first"),
        (b"\x89HDF\r\n", "an HDF5 file of Keras or TensorFlow"),
        (b"\x93NUMPY\x01\x00", "a NumPy file"),
    ],
)
def test_what_often_lies_in_the_place_of_weights_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "file.pkl").write_bytes(content)
    with pytest.raises(UserError, match=rf"file\.pkl: {message}"):
        read_checkpoint(tmp_path / "file.pkl")


def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "text.pkl").write_text("hello")
    (tmp_path / "cut.pkl").write_bytes(pickle.dumps({"G_ema": "x" * 1000})[:-100])
    with pytest.raises(UserError, match="not a checkpoint of a known format"):
        read_checkpoint(tmp_path / "text.pkl")
    with pytest.raises(UserError, match=r"cut.pkl: damaged, truncated or not a checkpoint \(truncated\)"):
        read_checkpoint(tmp_path / "cut.pkl")


def test_settings_that_layers_keep_are_found(write_nvidia: Callable[..., Path]) -> None:
    tensors = {"synthesis.b4.conv1.affine.weight": torch.zeros(1, 1), "synthesis.b4.conv1.weight": torch.zeros(1)}
    path = write_nvidia(tensors, {"conv_clamp": 1}, layers={"conv_clamp": 256, "activation": "lrelu"})
    assert read_checkpoint(path).settings == {"conv_clamp": 256, "activation": "lrelu"}


def test_tensors_may_not_be_many_times_the_same(tmp_path: Path) -> None:
    tensor = torch.zeros(1000, 1000)
    torch.save({f"a{i}": tensor for i in range(50)}, tmp_path / "file.pt")
    with pytest.raises(UserError, match="more numbers than a file of this size can hold"):
        read_checkpoint(tmp_path / "file.pt")


def test_a_message_does_not_write_out_what_a_file_nests() -> None:
    nested: Any = []
    for _ in range(60):
        nested = [nested, nested]
    with pytest.raises(ValueError, match="numbers of the type a list"):
        array_of(Record("_frombuffer", (b"", Record("dtype", (nested,)), (0,), "C")))


def test_a_module_within_itself_ends(write_nvidia: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentloop.checkpoints.network_pickles.MAX_MODULES", 2)
    with pytest.raises(UserError, match="more than 2 modules"):
        read_checkpoint(write_nvidia(TENSORS, {}))


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f2", "<i8", "|u1", "|b1"])
def test_arrays_are_made_from_their_bytes(dtype: str, protocol: int) -> None:
    array = (np.arange(6).reshape(2, 3) % 2).astype(dtype).T
    for one in (array, np.ascontiguousarray(array)):
        found = array_of(unpickle(io.BytesIO(pickle.dumps(one, protocol=protocol)), MAKERS))
        np.testing.assert_array_equal(found, one)
        assert found.dtype == one.dtype


def test_arrays_of_python_2_have_text_for_bytes() -> None:
    record = Record("_frombuffer", ("\x00\x00\x80?", Record("dtype", ("f4",)), (1,), "C"))
    assert array_of(record).tolist() == [1.0]


def test_arrays_of_objects_are_refused() -> None:
    record = unpickle(io.BytesIO(pickle.dumps(np.array([None, 1]), protocol=4)), MAKERS)
    with pytest.raises(ValueError, match="an array without bytes"):
        array_of(record)


class Evil:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (MARK,)


@pytest.mark.usefixtures("as_published")
def test_what_would_run_does_not(tmp_path: Path) -> None:
    torch.save({"g_ema": {"a": torch.ones(3)}, "args": Evil()}, tmp_path / "file.pt")
    with pytest.raises(UserError, match=r"file\.pt: refused, it asks for the global (posix|nt)\.mkdir; a checkpoint"):
        read_checkpoint(tmp_path / "file.pt")
