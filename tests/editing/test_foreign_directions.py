"""Files are written here as the projects write them, and read back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.editing.foreign_directions import read_foreign_directions
from latentloop.errors import UserError
from latentloop.generators import Generator


def randn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def save(path: Path, content: Any) -> Path:  # noqa: ANN401
    if path.suffix == ".npy":
        np.save(path, content.numpy(), allow_pickle=True)
    else:
        torch.save(content, path)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".pt"])
@pytest.mark.parametrize("shape", [(8,), (1, 8), (1, 1, 8)], ids=str)
def test_a_direction_of_all_layers(float_toy: Generator, tmp_path: Path, shape: tuple[int, ...], suffix: str) -> None:
    path = save(tmp_path / f"smile{suffix}", randn(*shape))
    (found,) = read_foreign_directions(path, float_toy).values()
    assert (found.name, found.layers, found.num_ws) == ("smile", (0, 1, 2, 3), 4)
    assert (found.fingerprint, found.generator, found.licence) == (float_toy.fingerprint, "toy-32", "unknown")
    assert torch.equal(found.change(), randn(8).repeat(4, 1))


@pytest.mark.parametrize("suffix", [".npy", ".pt"])
@pytest.mark.parametrize("shape", [(4, 8), (1, 4, 8)], ids=str)
def test_a_direction_of_each_layer_changes_those_that_are_not_zero(
    float_toy: Generator, tmp_path: Path, shape: tuple[int, ...], suffix: str
) -> None:
    vector = randn(*shape)
    vector[..., 2, :] = 0
    found = read_foreign_directions(save(tmp_path / f"age{suffix}", vector), float_toy)["age"]
    assert found.layers == (0, 1, 3)
    assert torch.equal(found.change(), vector.reshape(4, 8))


def test_more_layers_fit_if_they_are_alike_or_zero_beyond(float_toy: Generator, tmp_path: Path) -> None:
    alike, zero, other = randn(8).expand(6, 8).clone(), randn(6, 8), randn(6, 8)
    zero[4:] = 0
    for name, vector in {"alike": alike, "zero": zero}.items():
        found = read_foreign_directions(save(tmp_path / f"{name}.pt", vector), float_toy)[name]
        assert torch.equal(found.change(), vector[:4])
    with pytest.raises(UserError, match="other: changes 6 layers, toy-32 has 4"):
        read_foreign_directions(save(tmp_path / "other.pt", other), float_toy)


@pytest.mark.parametrize("key", ["comp", "components"])
def test_components_of_e4e_go_a_standard_deviation(float_toy: Generator, tmp_path: Path, key: str) -> None:
    content = {key: randn(3, 1, 8), "mean": randn(1, 8), "std": torch.tensor([3.0, 2.0, 1.0])}
    found = read_foreign_directions(save(tmp_path / "ffhq_pca.pt", content), float_toy)
    assert list(found) == ["pc0", "pc1", "pc2"]
    for i, direction in enumerate(found.values()):
        torch.testing.assert_close(direction.vector, (3 - i) * content[key][i, 0])


@pytest.mark.parametrize("kinds", [("lat", "act"), ("act",)], ids=str)
def test_components_of_ganspace(float_toy: Generator, tmp_path: Path, kinds: tuple[str, ...]) -> None:
    arrays: dict[str, Any] = {"var_ratio": np.ones(2), "layer": np.array(["style"])}
    for kind, scale in zip(kinds, (1, 100), strict=False):
        arrays[f"{kind}_comp"] = scale * randn(2, 1, 8).numpy()
        arrays[f"{kind}_stdev"] = np.array([4.0, 2.0], np.float32)
    np.savez_compressed(tmp_path / "pca.npz", **arrays)
    found = read_foreign_directions(tmp_path / "pca.npz", float_toy)
    torch.testing.assert_close(found["pc1"].vector, 2 * randn(2, 1, 8)[1, 0])
    torch.testing.assert_close(found["pc0"].vector, 4 * randn(2, 1, 8)[0, 0])


def test_the_columns_of_eigenvectors(float_toy: Generator, tmp_path: Path) -> None:
    found = read_foreign_directions(save(tmp_path / "factor.pt", {"ckpt": "a.pt", "eigvec": randn(8, 3)}), float_toy)
    assert list(found) == ["sefa0", "sefa1", "sefa2"]
    assert torch.equal(found["sefa2"].vector, randn(8, 3)[:, 2])


class Marker:
    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return print, ("executed",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (randn(9), r"has a direction \(9,\), toy-32 takes \(8,\) or \(4, 8\)"),
        (randn(8, 1), r"has a direction \(8, 1\)"),
        (randn(2, 3, 4, 8), r"has a direction \(2, 3, 4, 8\)"),
        (torch.tensor(1.0), r"has a direction \(\)"),
        (torch.zeros(0, 8), r"has a direction \(0, 8\)"),
        (torch.ones(1).expand(500, 8), r"has a direction \(500, 8\)"),
        (torch.full((8,), torch.nan), "has numbers that are not finite"),
        (torch.zeros(8), "has a direction file of zeros only"),
        ("text", "damaged, truncated or not a checkpoint"),
        ({}, "has no directions, but nothing"),
        ({"w": randn(8)}, "has no directions, but w"),
        ({"comp": randn(3, 1, 8)}, "std is missing"),
        ({"comp": randn(3, 1, 8), "std": randn(2)}, r"has \(3, 1, 8\) components and 2 deviations"),
        ({"comp": randn(0, 1, 8), "std": randn(0)}, r"has directions \(0, 1, 8\)"),
        ({"eigvec": randn(8)}, r"has directions \(8,\)"),
        ({"eigvec": torch.ones(1).expand(8, 5000)}, r"has directions \(5000, 8\)"),
        ({"eigvec": "text"}, "damaged"),
    ],
)
def test_what_is_no_direction_is_refused_in_one_line(
    float_toy: Generator, tmp_path: Path, content: object, message: str
) -> None:
    path = save(tmp_path / "file.pt", content)
    with pytest.raises(UserError, match=message) as caught:
        read_foreign_directions(path, float_toy)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [Marker(), {"comp": Marker()}], ids=["alone", "in a dict"])
def test_nothing_is_executed(
    float_toy: Generator, tmp_path: Path, content: object, capsys: pytest.CaptureFixture[str]
) -> None:
    array: Any = np.array(content, dtype=object)
    np.save(tmp_path / "file.npy", array, allow_pickle=True)
    np.savez(tmp_path / "file.npz", lat_comp=array)
    for path in (save(tmp_path / "file.pt", content), tmp_path / "file.npy", tmp_path / "file.npz"):
        with pytest.raises(UserError, match=r"refused, it asks for the global (builtins|__builtin__)\.print"):
            read_foreign_directions(path, float_toy)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY", b"PK\x03\x04"])
def test_other_files_are_refused(float_toy: Generator, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match=r"not a direction file|damaged|an empty file"):
        read_foreign_directions(tmp_path / "file", float_toy)


@pytest.mark.parametrize("kind", ["pt", "npz"])
def test_damaged_files_are_refused_or_read(float_toy: Generator, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"file.{kind}"
    if kind == "pt":
        torch.save({"comp": randn(2, 1, 8), "std": randn(2)}, path)
    else:
        np.savez_compressed(path, lat_comp=randn(2, 1, 8).numpy(), lat_stdev=randn(2).numpy())
    whole = path.read_bytes()
    for place in range(0, len(whole), 2):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        try:
            read_foreign_directions(path, float_toy)
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017 - that it is raised is not certain
