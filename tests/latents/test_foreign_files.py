"""Files are written here as the projects write them, and read back."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.latents.foreign_files import read_latents

Write = Callable[[object], Path]


def codes(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def save(tmp_path: Path) -> Write:
    def write(content: object) -> Path:
        torch.save(content, tmp_path / "file")
        return tmp_path / "file"

    return write


@pytest.fixture
def save_array(tmp_path: Path) -> Write:
    def write(content: Any) -> Path:  # noqa: ANN401
        np.save(tmp_path / "file.npy", content, allow_pickle=True)
        return tmp_path / "file.npy"

    return write


SHAPES = {
    (4, 8): (1, "a code"),
    (1, 4, 8): (1, "a code"),
    (3, 4, 8): (3, "codes"),
    (8,): (1, "a style"),
    (3, 8): (3, "styles"),
    (3, 1, 8): (3, "styles"),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["npy", "npz", "pt", "fortran", "float64"])
def test_one_array(float_toy: Generator, save: Write, tmp_path: Path, shape: tuple[int, ...], kind: str) -> None:
    array, path, count = codes(*shape), tmp_path / "file", SHAPES[shape][0]
    with path.open("wb") as file:
        if kind == "npz":
            np.savez_compressed(file, w=array.numpy())
        elif kind != "pt":
            dtype = "float64" if kind == "float64" else "float32"
            np.save(file, np.array(array.numpy(), order="F" if kind == "fortran" else "C", dtype=dtype))
    latents = read_latents(save(array.requires_grad_()) if kind == "pt" else path, float_toy)
    assert latents.names is None
    assert latents.codes.dtype == torch.float32
    assert not latents.codes.requires_grad
    expected = array.detach().reshape(count, -1, 8).expand(-1, 4, -1)
    assert torch.equal(latents.codes, expected)


@pytest.mark.parametrize("steps", [1, 5])
def test_restyle_has_each_step_of_each_image(float_toy: Generator, save_array: Write, steps: int) -> None:
    array = codes(2, steps, 4, 8)
    path = save_array({name: list(of.numpy()) for name, of in zip(("a.jpg", "dir/b.c.png"), array, strict=True)})
    latents = read_latents(path, float_toy)
    assert latents.names == ("a", "b.c")
    assert torch.equal(latents.codes, array[:, -1])


@pytest.mark.parametrize("shape", [(8,), (4, 8)])
def test_rosinality_has_a_dict_of_each_image(float_toy: Generator, save: Write, shape: tuple[int, ...]) -> None:
    array = codes(2, *shape)
    of = [{"img": torch.zeros(3, 2, 2), "latent": one, "noise": [torch.zeros(1, 1, 4, 4)]} for one in array]
    latents = read_latents(save({"in/a.png": of[0], "in/b.png": of[1]}), float_toy)
    assert latents.names == ("a", "b")
    assert torch.equal(latents.codes, array.reshape(2, -1, 8).expand(-1, 4, -1))


def test_a_tensor_of_each_image(float_toy: Generator, save: Write) -> None:
    assert torch.equal(read_latents(save({"a": codes(1, 4, 8)}), float_toy).codes, codes(1, 4, 8))


class Marker:
    """Would print if it were unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return print, ("executed",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (codes(3, 8, 4), r"has codes \(3, 8, 4\), toy-32 takes \(N, 4, 8\)"),
        (codes(0, 4, 8), r"has codes \(0, 4, 8\)"),
        (codes(1, 1, 4, 8), r"has codes \(1, 1, 4, 8\)"),
        (torch.tensor(1.0), r"has codes \(\)"),
        (torch.full((4, 8), torch.inf), "has numbers that are not finite"),
        ({}, "has no codes"),
        ({"a": codes(2, 4, 8)}, "has several codes for a"),
        (dict.fromkeys("ab", codes(4, 8)), "has one code under several names"),
        ({"a.png": codes(4, 8), "a.jpg": codes(4, 8)}, "has several codes for a"),
        ({"a": {"img": codes(4, 8)}}, "has no latent for an image, but img"),
        ({"a": []}, r"damaged, truncated or not a checkpoint \(a tensor that is a list\)"),
        ("text", r"damaged, truncated or not a checkpoint \(a tensor that is a str\)"),
    ],
    ids=str,
)
def test_what_is_no_code_is_refused(float_toy: Generator, save: Write, content: object, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_latents(save(content), float_toy)
    assert str(caught.value).startswith(str(save(content)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [{"a.png": Marker()}, Marker(), {"a.png": [Marker()]}])
def test_nothing_is_executed(
    float_toy: Generator, save: Write, save_array: Write, content: object, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (save(content), save_array(content)):
        with pytest.raises(UserError, match=r"refused, it asks for the global (builtins|__builtin__)\.print"):
            read_latents(path, float_toy)
    assert capsys.readouterr().out == ""


def test_other_archives_are_refused(float_toy: Generator, tmp_path: Path) -> None:
    np.savez(tmp_path / "file.npz", z=np.zeros((1, 8)))
    with pytest.raises(UserError, match="has no array w, as NVIDIA's projectors write it, but z"):
        read_latents(tmp_path / "file.npz", float_toy)


@pytest.mark.parametrize("content", [b"", b"some text", b"\x93NUMPY", b"PK\x03\x04"])
def test_other_files_are_refused(float_toy: Generator, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match=r"not a code file|damaged|an empty file"):
        read_latents(tmp_path / "file", float_toy)


def test_a_missing_file_is_named(float_toy: Generator, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.npy: no such file"):
        read_latents(tmp_path / "nothing.npy", float_toy)


@pytest.mark.parametrize("zipped", [False, True])
def test_an_array_that_claims_more_than_the_file_has_is_refused(
    float_toy: Generator, tmp_path: Path, zipped: bool
) -> None:
    stream = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**9, 4, 8)}
    np.lib.format.write_array_header_1_0(stream, header)
    path = tmp_path / "file"
    path.write_bytes(stream.getvalue() + bytes(128))
    if zipped:
        with zipfile.ZipFile(tmp_path / "file.npz", "w") as archive:
            archive.write(path, "w.npy")
        path = tmp_path / "file.npz"
    with pytest.raises(UserError, match=r"damaged.*\(an array \(1000000000, 4, 8\) of float32"):
        read_latents(path, float_toy)


@pytest.mark.filterwarnings("error")
def test_numbers_too_large_are_not_finite(float_toy: Generator, save_array: Write) -> None:
    with pytest.raises(UserError, match="has numbers that are not finite"):
        read_latents(save_array(np.full((4, 8), 1e300)), float_toy)


@pytest.mark.parametrize("kind", ["dict", "archive"])
def test_damaged_files_are_refused_or_read(float_toy: Generator, tmp_path: Path, kind: str) -> None:
    path, array = tmp_path / "file", codes(4, 8).numpy()
    with path.open("wb") as file:
        if kind == "dict":
            named: Any = {"a.png": [array]}
            np.save(file, named, allow_pickle=True)
        else:
            np.savez_compressed(file, w=array)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        try:
            read_latents(path, float_toy)
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017 - that it is raised is not certain
