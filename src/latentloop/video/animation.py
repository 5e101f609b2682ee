"""Writing of animated GIFs."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from latentloop.files import replacing
from latentloop.images import to_uint8

PALETTE_FRAMES, PALETTE_SIDE = 16, 128
"""Frames that the palette is computed from, and their size for it, in pixels."""
CENTISECONDS = 100
"""Units of a GIF's time in a second."""


def write_gif(path: Path | str, images: Iterable[Tensor], fps: float, *, comment: str = "") -> None:
    """Write an animated GIF that loops forever; the file appears whole.

    All frames share 256 colours, so that none changes its tint from one to the next; between them they are dithered.

    Args:
        path: The file.
        images: Frames (1, 3, H, W) in [-1, 1], clamped, all of one size.
        fps: Frames a second, above 0 up to 100. GIF times are hundredths of a second, so that frames last a little
            longer and shorter in turn; browsers slow down what is faster than 50.
        comment: Text to keep in the file beside the images; `gif_comment` reads it.

    Raises:
        UserError: The file cannot be written.
        ValueError: There are no images, their sizes differ, or `fps` is out of range.
    """
    frames = [Image.fromarray(to_uint8(image[0])) for image in images]
    if not frames or not 0 < fps <= CENTISECONDS:
        raise ValueError(
            f"a GIF takes one image at least and up to {CENTISECONDS} a second, got {len(frames)} and {fps}"
        )
    if len({frame.size for frame in frames}) > 1:
        raise ValueError("images must be of one size")
    palette = _shared_palette(frames)
    first, *others = (frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames)
    with replacing(Path(path)) as part:
        durations = _durations(len(frames), fps)
        first.save(part, format="gif", save_all=True, append_images=others, duration=durations, loop=0, comment=comment)


def _shared_palette(frames: list[Image.Image]) -> Image.Image:
    chosen = [frames[i] for i in np.linspace(0, len(frames) - 1, min(len(frames), PALETTE_FRAMES)).round().astype(int)]
    small = [frame.resize((min(frame.width, PALETTE_SIDE), min(frame.height, PALETTE_SIDE))) for frame in chosen]
    together = Image.fromarray(np.concatenate([np.asarray(frame) for frame in small]))
    # Dithered to these, faces seen from a distance are closer than with a median cut, and in a tenth of the time.
    return together.quantize(256, method=Image.Quantize.FASTOCTREE)


def _durations(count: int, fps: float) -> list[int]:
    """How long each frame is shown, in milliseconds; they add up without drifting."""
    ends = [round(CENTISECONDS * i / fps) for i in range(count + 1)]
    return [10 * (end - start) for start, end in pairwise(ends)]
