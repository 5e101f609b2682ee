"""The refinement in a code file of version 2, as arrays of an `.npz` file.

| array | type | meaning |
|---|---|---|
| `refined_with` | text | name of the generator that was refined |
| `weights` | text | fingerprint of its weights |
| `seam` | int | resolution after whose last layer the residual is added; 0 for no residual |
| `residual` | float16 (C, H, W) | change of the features there; (0, 0, 0) for no residual |
| `pivot` | float32 (num_ws, w_dim) | code for which the residual was optimized; (0, 0) for no residual |
| `deltas` | text (K,) | names of the changed weights |
| `u.NAME` | float16 (out, r) | left factor of the change u v^T of each of them |
| `v.NAME` | float16 (in * k * k, r) | right factor of the change |
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentloop.generators.low_rank import LowRank
from latentloop.generators.refined import Refinement
from latentloop.generators.residual import Residual
from latentloop.latents.numpy_archive import read_arrays, text_in, whole_in

ARRAYS = ("refined_with", "weights", "seam", "residual", "pivot", "deltas")
"""Names of the arrays that every refinement has."""
MAX_BYTES = 1 << 25
"""Largest size of a residual, and of all changes of weights together, in bytes: twice that of 512 channels of 128 x 128
in float16."""
MAX_DELTAS = 1 << 8
"""Largest number of changed weights, several times the layers of the largest network."""


def refinement_arrays(refinement: Refinement) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a refinement by name.

    Raises:
        ValueError: A value is not finite in float16.
    """
    residual = refinement.residual
    arrays: dict[str, npt.NDArray[Any]] = {
        "refined_with": np.array(refinement.generator),
        "weights": np.array(refinement.weights),
        "seam": np.array(residual.seam if residual else 0, dtype=np.int64),
        "residual": _halves(residual.features if residual else torch.zeros(0, 0, 0)),
        "pivot": (residual.pivot if residual else torch.zeros(0, 0)).detach().cpu().float().numpy(),
        "deltas": np.array(list(refinement.deltas), dtype=np.str_),
    }
    for name, delta in refinement.deltas.items():
        arrays |= {f"u.{name}": _halves(delta.u), f"v.{name}": _halves(delta.v)}
    return arrays


def read_refinement(content: bytes) -> Refinement:
    """Read the refinement of a code file of version 2.

    Args:
        content: Bytes of the file.

    Raises:
        ValueError, LookupError and the others in `numpy_archive.DAMAGE`: The refinement is missing or damaged.
    """
    arrays = read_arrays(content, ARRAYS, max_bytes=MAX_BYTES)
    names = arrays["deltas"]
    if names.ndim != 1 or names.dtype.kind != "U" or len(names) > MAX_DELTAS or len(set(names)) < len(names):
        raise ValueError(f"deltas must be distinct names, at most {MAX_DELTAS}")
    factors = [f"{side}.{name}" for name in names for side in "uv"]
    arrays |= read_arrays(content, factors, max_bytes=MAX_BYTES, max_total=MAX_BYTES)
    return Refinement(
        text_in(arrays, "refined_with"),
        text_in(arrays, "weights"),
        _residual(arrays),
        {str(name): _delta(arrays, str(name)) for name in names},
    )


def _residual(arrays: dict[str, npt.NDArray[Any]]) -> Residual | None:
    seam, features = whole_in(arrays, "seam"), _numbers(arrays, "residual", ndim=3)
    pivot = _numbers(arrays, "pivot", ndim=2, dtype=np.float32)
    # A residual needs all three; none of them means that only weights were changed.
    parts = (seam > 0, features.numel() > 0, pivot.numel() > 0)
    if seam < 0 or any(parts) != all(parts):
        raise ValueError(f"residual {tuple(features.shape)} of pivot {tuple(pivot.shape)} at seam {seam}")
    return Residual(seam, features, pivot) if seam else None


def _delta(arrays: dict[str, npt.NDArray[Any]], name: str) -> LowRank:
    u, v = (_numbers(arrays, f"{side}.{name}", ndim=2) for side in "uv")
    if u.shape[1] != v.shape[1] or not u.numel() or not v.numel():
        raise ValueError(f"u {tuple(u.shape)} and v {tuple(v.shape)} of {name}")
    return LowRank(u, v)


def _numbers(
    arrays: dict[str, npt.NDArray[Any]], name: str, *, ndim: int, dtype: type[np.floating[Any]] = np.float16
) -> Tensor:
    array = arrays[name]
    if array.dtype != dtype or array.ndim != ndim or not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, {dtype.__name__}, of {ndim} axes")
    return torch.from_numpy(array.astype(np.float32))


def _halves(tensor: Tensor) -> npt.NDArray[Any]:
    halves = tensor.detach().cpu().half()
    if not halves.isfinite().all():
        raise ValueError("a refinement has values that are not finite in float16")
    array: npt.NDArray[Any] = halves.numpy()
    return array
