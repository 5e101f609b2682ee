"""Grids of images with labelled rows and columns."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from latentloop.images import from_uint8, resample, to_uint8

TILE, CAPTION = 192, 22
"""Default side of an image, and height of the line of column labels, in pixels."""
LETTER = 13
"""Font size of the labels, in pixels."""


def labelled_grid(
    rows: Sequence[Sequence[Tensor]], columns: Sequence[str], names: Sequence[str] = (), *, tile: int = TILE
) -> Tensor:
    """Lay out images in a grid with column labels above and row labels at the left, as one image (1, 3, H, W).

    Args:
        rows: Images (1, 3, S, S) in [-1, 1]; a row may be shorter than `columns`.
        columns: Label of each column.
        names: Label of each row; empty for no labels.
        tile: Pixels of an image's side in the grid.
    """
    font = ImageFont.load_default(LETTER)
    left = max((int(font.getlength(name)) + 12 for name in names), default=0)
    canvas = Image.new("RGB", (left + tile * len(columns), CAPTION + tile * len(rows)), "white")
    drawing = ImageDraw.Draw(canvas)
    for x, column in enumerate(columns):
        drawing.text((left + tile * (x + 0.5), CAPTION / 2), column, fill="black", font=font, anchor="mm")
    for y, row in enumerate(rows):
        if names:
            drawing.text((6, CAPTION + tile * (y + 0.5)), names[y], fill="black", font=font, anchor="lm")
        for x, image in enumerate(row):
            pixels = to_uint8(_small(image, tile)[0])
            canvas.paste(Image.fromarray(pixels), (left + tile * x, CAPTION + tile * y))
    return from_uint8(np.array(canvas))


@torch.inference_mode()
def _small(image: Tensor, tile: int) -> Tensor:
    return resample(image, tile)
