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
"""Number of frames from which the palette is computed, and their largest side for that, in pixels."""
CENTISECONDS = 100
"""GIF's units of time per second."""


def write_gif(path: Path | str, images: Iterable[Tensor], fps: float, *, comment: str = "") -> None:
    """Write an animated GIF that loops forever, atomically.

    All frames share one palette of 256 colours with dithering, so that tints do not flicker.

    Args:
        path: File to write.
        images: Frames (1, 3, H, W) in [-1, 1], clamped, all of one size.
        fps: Frames per second, above 0 up to 100. GIF times are in hundredths of a second, so frames alternate between
            slightly longer and shorter times; browsers slow down animations faster than 50.
        comment: Text to store in the file; `gif_comment` reads it.

    Raises:
        UserError: The file cannot be written.
        ValueError: There are no images, their sizes differ, or `fps` is out of range.
    """
    frames = [Image.fromarray(to_uint8(image[0])) for image in images]
    if not frames or not 0 < fps <= CENTISECONDS:
        raise ValueError(
            f"a GIF needs at least one image and at most {CENTISECONDS} per second, got {len(frames)} and {fps}"
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
    # An octree palette, dithered, comes closer to faces seen from a distance than a median cut, in a tenth of the time.
    return together.quantize(256, method=Image.Quantize.FASTOCTREE)


def _durations(count: int, fps: float) -> list[int]:
    """Duration of each frame in milliseconds, rounded so that the total does not drift."""
    ends = [round(CENTISECONDS * i / fps) for i in range(count + 1)]
    return [10 * (end - start) for start, end in pairwise(ends)]
