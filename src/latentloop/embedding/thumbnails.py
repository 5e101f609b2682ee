"""Thumbnails of results: the pictures and their difference side by side, in one small JPEG file."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from latentloop.embedding.result_folder import COMMAND, ResultPaths
from latentloop.files import replacing
from latentloop.images import jpeg_bytes, read_image, resample
from latentloop.ownership import is_foreign, mark, mark_in, marked_by

SIDE, QUALITY = 160, 80
"""Side of each picture in pixels, and JPEG quality."""
DIFFERENCE_RANGE = 0.5
"""Mean absolute difference, on [-1, 1], that gets the brightest colour."""


def difference(image: Tensor, target: Tensor) -> Tensor:
    """Draw the difference of two images (1, 3, S, S) as a heat map (1, 3, S, S) in [-1, 1]; black is equal."""
    from matplotlib import colormaps  # imported late: takes half a second

    strength = (image - target).abs().mean(dim=1)[0] / DIFFERENCE_RANGE
    colours = colormaps["inferno"](strength.clamp(0, 1).cpu().numpy())[..., :3]
    return 2 * torch.from_numpy(colours).permute(2, 0, 1)[None].float() - 1


def write_thumbnail(path: Path, images: Sequence[Tensor], signature: str) -> None:
    """Write a photo, its reconstructions, and the difference to the last one; a foreign file of that name is kept.

    Args:
        path: File to write; it appears whole or not at all.
        images: Aligned photo, its one-pass reconstruction, if there is one, and its reconstruction, (1, 3, S, S) each,
            in [-1, 1].
        signature: Mark of the result's files.

    Raises:
        UserError: The file cannot be written.
    """
    if is_foreign(path, marked_by(COMMAND)):
        return
    small = [resample(image.detach().clamp(-1, 1), SIDE).cpu() for image in images]
    strip = torch.cat([*small, difference(small[-1], small[0])], dim=3)
    with replacing(path) as part:
        part.write_bytes(jpeg_bytes(strip, quality=QUALITY, comment=signature))


def thumbnail_of(paths: ResultPaths, *, one_pass: bool) -> Path | None:
    """Return the thumbnail of a result, made from its pictures if necessary; None if a foreign file has its name.

    Args:
        paths: Files of the result.
        one_pass: The result has a one-pass reconstruction.

    Raises:
        UserError: A picture cannot be read, or the thumbnail cannot be written.
    """
    drawn_with = mark_in(paths.reconstruction, COMMAND)
    if drawn_with is None or mark_in(paths.thumbnail, COMMAND) != drawn_with:
        shown = [path for path in paths.pictures if one_pass or path != paths.one_pass]
        write_thumbnail(paths.thumbnail, [read_image(path) for path in shown], drawn_with or mark(COMMAND))
    return None if is_foreign(paths.thumbnail, marked_by(COMMAND)) else paths.thumbnail
