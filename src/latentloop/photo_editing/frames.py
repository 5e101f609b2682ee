"""Animations: many images as a GIF, an MP4 or a folder of PNGs, and the animation of an edit."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from latentloop.errors import UserError
from latentloop.images import resize, write_png
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.subjects import Origin, Subject
from latentloop.video import write_gif, write_video

FRAME_COUNT, FRAME_RATE = 60, 30
"""Frames of the animation of an edit, and frames a second."""
LONGEST_SIDE = 1280
"""Largest width or height of its frames, in pixels."""


def write_frames(path: Path, images: Iterable[Tensor], *, rate: int) -> Path:
    """Write images (1, 3, H, W) in [-1, 1]; returns the path.

    Args:
        path: A .gif or an .mp4, which appears whole, or else a folder for frame-0000.png ...
        images: Images of one size.
        rate: Frames a second.

    Raises:
        UserError: It cannot be written, or PyAV, which .mp4 needs, is not installed.
    """
    if path.suffix.lower() == ".gif":
        write_gif(path, images, rate)
    elif path.suffix.lower() == ".mp4":
        write_video(path, images, Fraction(rate))
    else:
        for i, image in enumerate(images):
            write_png(_frame(path, i), image)
    return path


def check_frames(folder: Path, sources: Sequence[str], count: int) -> None:
    """Check that a folder can take the frames: it holds no sources and no frames of a longer animation.

    Raises:
        UserError: A source lies there, or it has frames of something longer.
    """
    if any(Path(source).resolve().parent == folder.resolve() for source in sources):
        raise UserError(f"{folder}: holds what the frames are made of; choose another folder", arguments="out")
    if _frame(folder, count).exists():
        raise UserError(f"{folder}: has frames of something longer; choose another folder", arguments="out")


def _frame(folder: Path, i: int) -> Path:
    return folder / f"frame-{i:04d}.png"


def animate_edit(editor: Editor, subject: Subject, change: Callable[[Tensor, float], Tensor]) -> Iterator[Tensor]:
    """Yield a subject's picture from unedited to edited and back: `FRAME_COUNT` images, (1, 3, H, W) in [-1, 1].

    They are made smaller where a side is longer than `LONGEST_SIDE`.

    Args:
        editor: Draws the faces, and pastes them into the photo.
        subject: The faces.
        change: Edits codes (F, num_ws, w_dim) by a share of the whole edit.
    """
    subject = replace(subject, origin=_within(subject.origin)) if subject.origin else subject
    before = editor.before(subject)
    for i in range(FRAME_COUNT):
        share = 0.5 - 0.5 * math.cos(2 * math.pi * i / FRAME_COUNT)
        yield editor.into_photo(subject, editor.faces(change(subject.w_plus, share)), before=before)


def _within(origin: Origin) -> Origin:
    """The photo made small enough for a video."""
    height, width = origin.image.shape[-2:]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    if scale == 1:
        return origin
    image = resize(origin.image, round(scale * height), round(scale * width))
    factors = origin.quads.new_tensor([image.shape[-1] / width, image.shape[-2] / height])
    return Origin(origin.path, image, (origin.quads + 0.5) * factors - 0.5)
