"""Labelled grids of images as tensors."""

from collections.abc import Sequence

import torch
from torch import Tensor

from latentloop.images import from_uint8, resample, to_uint8
from latentloop.pictures.grid import CAPTION as CAPTION
from latentloop.pictures.grid import TILE as TILE
from latentloop.pictures.grid import grid_of
from latentloop.pixels import Pixels


def labelled_grid(
    rows: Sequence[Sequence[Tensor]], columns: Sequence[str], names: Sequence[str] = (), *, tile: int = TILE
) -> Tensor:
    """Arrange images in a grid with column labels above and row labels at the left, as one image (1, 3, H, W).

    Args:
        rows: Images (1, 3, S, S) in [-1, 1]; a row may be shorter than `columns`.
        columns: Label of each column.
        names: Label of each row; empty for no labels.
        tile: Side of an image in the grid, in pixels.
    """
    return from_uint8(grid_of([[_small(image, tile) for image in row] for row in rows], columns, names, tile=tile))


@torch.inference_mode()
def _small(image: Tensor, tile: int) -> Pixels:
    return to_uint8(resample(image, tile)[0])
