"""Labelled grids of images in NumPy, without PyTorch."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from latentloop.pixels import Pixels

TILE, CAPTION = 192, 22
"""Default side of an image, and height of the row of column labels, in pixels."""
LETTER = 13
"""Font size of the labels, in pixels."""


def grid_of(
    rows: Sequence[Sequence[Pixels]], columns: Sequence[str], names: Sequence[str] = (), *, tile: int = TILE
) -> Pixels:
    """Arrange images in a grid with column labels above and row labels at the left, (H, W, 3) in 0..255.

    Args:
        rows: Images (tile, tile, 3); a row may be shorter than `columns`.
        columns: Label of each column.
        names: Label of each row; empty for no labels.
        tile: Side of an image, in pixels.
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
            canvas.paste(Image.fromarray(image), (left + tile * x, CAPTION + tile * y))
    return np.array(canvas)
