"""Images in rows and columns that say what they are."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from latentloop.images import from_uint8, resample, to_uint8

TILE, CAPTION = 192, 22
"""Pixels of an image's side, and of the words above it."""
LETTER = 13
"""Pixels of a letter's height."""


def labelled_grid(
    rows: Sequence[Sequence[Tensor]], columns: Sequence[str], names: Sequence[str] = (), *, tile: int = TILE
) -> Tensor:
    """Lay images out under the names of their columns, and beside those of their rows.

    Args:
        rows: Images (1, 3, S, S) in [-1, 1]; a row may be shorter than `columns`.
        columns: What each column is.
        names: What each row is; empty for no names.
        tile: Pixels of an image's side.

    Returns:
        One image, (1, 3, H, W).
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
