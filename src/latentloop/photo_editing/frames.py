"""Animations: many images as a GIF, an MP4 or a folder of PNGs, and the animation of an edit."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from latentloop.errors import UserError
from latentloop.files import refuse_overwriting
from latentloop.images import resize, write_png
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.subjects import Origin, Subject
from latentloop.video import write_gif, write_video

ANIMATIONS = (".gif", ".mp4")
"""Endings of the files that hold an animation; what has another name is a folder for frames."""
FRAME_COUNT, FRAME_RATE = 60, 30
"""Frames of the animation of an edit, and frames a second."""
LONGEST_SIDE = 1280
"""Largest width or height of its frames, in pixels."""


def write_frames(path: Path, images: Iterable[Tensor], *, rate: int, comment: str) -> Path:
    """Write images (1, 3, H, W) in [-1, 1]; returns the path.

    Args:
        path: A .gif or an .mp4, which appears whole, or else a folder for frame-0000.png ...
        images: Images of one size.
        rate: Frames a second.
        comment: Text to keep in each file beside the images.

    Raises:
        UserError: It cannot be written, or PyAV, which .mp4 needs, is not installed.
    """
    if path.suffix.lower() == ".gif":
        write_gif(path, images, rate, comment=comment)
    elif path.suffix.lower() == ".mp4":
        write_video(path, images, Fraction(rate), comment=comment)
    else:
        for i, image in enumerate(images):
            write_png(_frame(path, i), image, comment=comment)
    return path


def check_animation(path: Path, sources: Sequence[str], *, ours: Callable[[Path], bool]) -> None:
    """Check that an animation replaces neither what it is made of nor a file of someone else.

    Args:
        path: A .gif or an .mp4, or else a folder for frames.
        sources: What the animation is made of.
        ours: Returns whether a file is an earlier animation, or a frame of one, which may be replaced.

    Raises:
        UserError: It would replace such a file, or the folder holds a source.
    """
    files = [Path(source) for source in sources]
    if path.suffix.lower() in ANIMATIONS:
        refuse_overwriting(path, files, ours=ours(path))
        return
    if not path.is_dir():
        refuse_overwriting(path, files, ours=False)
    if any(file.resolve().parent == path.resolve() for file in files):
        raise UserError(f"{path}: holds what the frames are made of; choose another folder", arguments="out")
    for frame in sorted(path.glob("frame-[0-9]*.png")):
        refuse_overwriting(frame, files, ours=ours(frame))


def check_length(path: Path, count: int) -> None:
    """Check that a folder for frames has none of a longer animation, which would follow after the new ones.

    Raises:
        UserError: It has.
    """
    if path.suffix.lower() not in ANIMATIONS and _frame(path, count).exists():
        raise UserError(f"{path}: has frames of something longer; choose another folder", arguments="out")


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
        faces = editor.faces(change(subject.w_plus, share), subject.drawn_by)
        yield editor.into_photo(subject, faces, before=before)


def _within(origin: Origin) -> Origin:
    """The photo made small enough for a video."""
    height, width = origin.image.shape[-2:]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    if scale == 1:
        return origin
    image = resize(origin.image, round(scale * height), round(scale * width))
    factors = origin.quads.new_tensor([image.shape[-1] / width, image.shape[-2] / height])
    return Origin(origin.path, image, (origin.quads + 0.5) * factors - 0.5)
