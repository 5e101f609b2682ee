"""Checks of the arguments of synthesis networks."""

from collections.abc import Collection

from torch import Tensor


def check_code(w_plus: Tensor, *, num_ws: int, w_dim: int) -> None:
    """Raise a ValueError unless a code has the shape (N, num_ws, w_dim)."""
    if w_plus.ndim != 3 or w_plus.shape[1:] != (num_ws, w_dim):
        raise ValueError(f"w_plus must be (N, {num_ws}, {w_dim}), got {tuple(w_plus.shape)}")


def find_resolution(resolution: int | None, full: int) -> int:
    """Return the resolution to draw, in pixels of a side; None means `full`.

    Raises:
        ValueError: The resolution does not divide `full`.
    """
    resolution = full if resolution is None else resolution
    if resolution < 1 or full % resolution:
        raise ValueError(f"resolution must divide {full}, got {resolution}")
    return resolution


def check_seam(seam: int, seams: Collection[int]) -> None:
    """Raise a ValueError unless `seam` is one of a network's seams."""
    if seam not in seams:
        raise ValueError(f"seam must be one of {', '.join(map(str, seams))}, got {seam}")
