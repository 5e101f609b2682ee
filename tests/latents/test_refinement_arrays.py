import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from latentloop.errors import UserError
from latentloop.generators import LowRank, Refinement, Residual
from latentloop.latents.code_file import Code, load_code, save_code

MakeCode = Callable[..., Code]
NAMES = ("synthesis.conv1.conv.weight", "synthesis.to_rgb.conv.weight")


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make(*, residual: bool = True, deltas: bool = True) -> Refinement:
    return Refinement(
        "toy-32",
        "ab" * 8,
        Residual(8, randn(3, 8, 8), randn(6, 4, seed=1)) if residual else None,
        {name: LowRank(randn(4, 2, seed=i), randn(18, 2, seed=9)) for i, name in enumerate(NAMES)} if deltas else {},
    )


@pytest.fixture
def saved(make_code: MakeCode, tmp_path: Path) -> Path:
    save_code(tmp_path / "code.npz", make_code(refinement=make()))
    return tmp_path / "code.npz"


def rewrite(path: Path, changes: dict[str, Any]) -> None:
    with np.load(path) as arrays:
        kept = {name: array for name, array in {**arrays, **changes}.items() if array is not None}
    np.savez(path, **kept)


@pytest.mark.parametrize("parts", [{}, {"residual": False}, {"deltas": False}, {"residual": False, "deltas": False}])
def test_it_comes_back_as_it_is_stored(make_code: MakeCode, tmp_path: Path, parts: dict[str, bool]) -> None:
    refinement = make(**parts)
    save_code(tmp_path / "code.npz", make_code(refinement=refinement))
    found, stored = load_code(tmp_path / "code.npz").refinement, refinement.stored()
    assert found is not None
    assert (found.generator, found.weights) == ("toy-32", "ab" * 8)
    assert (found.residual.seam if found.residual else None) == (8 if refinement.residual else None)
    for one, other in zip(_tensors(found), _tensors(stored), strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, other)
    for one, other in zip(_tensors(found), _tensors(refinement), strict=True):
        torch.testing.assert_close(one, other, rtol=2**-11, atol=0)
    assert list(found.deltas) == list(refinement.deltas)
    if refinement.residual:
        assert torch.equal(cast("Residual", found.residual).pivot, refinement.residual.pivot)


def _tensors(refinement: Refinement) -> list[torch.Tensor]:
    factors = [factor for delta in refinement.deltas.values() for factor in (delta.u, delta.v)]
    return [*factors, *([refinement.residual.features, refinement.residual.pivot] if refinement.residual else [])]


def test_numpy_alone_reads_it(saved: Path) -> None:
    with np.load(saved) as arrays:
        assert (arrays["version"], arrays["seam"]) == (2, 8)
        assert arrays["residual"].dtype == arrays[f"u.{NAMES[0]}"].dtype == np.float16
        assert arrays["residual"].shape == (3, 8, 8)
        assert (arrays["pivot"].dtype, arrays["pivot"].shape) == (np.float32, (6, 4))
        assert tuple(arrays["deltas"]) == NAMES
        change = arrays[f"u.{NAMES[1]}"] @ arrays[f"v.{NAMES[1]}"].T
    assert change.shape == (4, 18)


def test_a_code_without_one_is_of_version_1(make_code: MakeCode, tmp_path: Path) -> None:
    save_code(tmp_path / "code.npz", make_code())
    with np.load(tmp_path / "code.npz") as arrays:
        assert arrays["version"] == 1
        assert "residual" not in arrays
    assert load_code(tmp_path / "code.npz").refinement is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"residual": None}, "residual"),
        ({"residual": np.zeros((3, 8, 8), np.float32)}, "residual must be finite, float16, of 3 axes"),
        ({"residual": np.zeros((8, 8), np.float16)}, "residual must be finite"),
        ({"residual": np.full((3, 8, 8), np.inf, np.float16)}, "residual must be finite"),
        ({"seam": np.int64(0)}, r"residual \(3, 8, 8\) of pivot \(6, 4\) at seam 0"),
        ({"pivot": None}, "pivot"),
        ({"pivot": np.zeros((6, 4), np.float64)}, "pivot must be finite, float32, of 2 axes"),
        ({"pivot": np.zeros(4, np.float32)}, "pivot must be finite"),
        ({"pivot": np.full((6, 4), np.nan, np.float32)}, "pivot must be finite"),
        ({"pivot": np.zeros((0, 4), np.float32)}, r"of pivot \(0, 4\) at seam 8"),
        ({"seam": np.int64(-8)}, "at seam -8"),
        ({"residual": np.zeros((0, 8, 8), np.float16)}, r"residual \(0, 8, 8\) of pivot \(6, 4\) at seam 8"),
        ({"seam": np.float64(8)}, "seam must be a whole number"),
        ({"weights": np.int64(8)}, "weights must be a text"),
        ({"refined_with": None}, "refined_with"),
        ({"deltas": np.array([1])}, "deltas must be distinct names"),
        ({"deltas": np.array("x")}, "deltas must be distinct names"),
        ({"deltas": np.array(["x"] * 257)}, "deltas must be distinct names, at most 256"),
        ({"deltas": np.array(["../x"])}, "x.npy"),
        ({"deltas": np.array(NAMES[:1] * 2)}, "deltas must be distinct names"),
        ({f"u.{NAMES[0]}": None}, "u.synthesis"),
        ({f"u.{NAMES[0]}": np.zeros((4, 3), np.float16)}, r"u \(4, 3\) and v \(18, 2\) of synthesis.conv1"),
        ({f"v.{NAMES[0]}": np.full((18, 2), np.nan, np.float16)}, "must be finite"),
        ({f"v.{NAMES[0]}": np.zeros((0, 2), np.float16)}, r"v \(0, 2\)"),
        ({f"v.{NAMES[0]}": np.array([Path()], dtype=object)}, "no arrays that load without pickle"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(saved: Path, changes: dict[str, Any], problem: str) -> None:
    rewrite(saved, changes)
    with pytest.raises(UserError, match=rf"code\.npz: not a code file of latentloop, or damaged .*{problem}") as error:
        load_code(saved)
    assert "\n" not in str(error.value)


def test_what_a_small_file_claims_is_not_taken_into_memory(saved: Path) -> None:
    rewrite(saved, {"residual": np.zeros((512, 181, 181), np.float16)})  # just below the limit of one array
    names = np.array([f"synthesis.{i}.weight" for i in range(4)])
    factors = {f"{side}.{name}": np.zeros((1 << 22, 1), np.float16) for name in names for side in "uv"}
    with np.load(saved) as arrays:
        np.savez_compressed(saved, **{**arrays, **factors, "deltas": names})
    assert saved.stat().st_size < 1 << 20
    tracemalloc.start()
    with pytest.raises(UserError, match=r"is too large: 8,388,608 bytes"):
        load_code(saved)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 28


def test_a_changed_byte_is_refused_or_changes_nothing(saved: Path) -> None:
    content, expected = saved.read_bytes(), _tensors(make().stored())
    refused = 0
    for place in range(0, len(content), 29):
        saved.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            found = load_code(saved).refinement
        except UserError:
            refused += 1
        else:
            assert found is not None
            assert all(torch.equal(*pair) for pair in zip(_tensors(found), expected, strict=True))
    assert refused > 100


def test_numbers_that_float16_does_not_hold_are_refused(make_code: MakeCode, tmp_path: Path) -> None:
    refinement = replace(make(), residual=Residual(8, torch.full((3, 8, 8), 1e6), randn(6, 4)))
    with pytest.raises(ValueError, match="not finite in float16"):
        save_code(tmp_path / "code.npz", make_code(refinement=refinement))
    assert not (tmp_path / "code.npz").exists()
