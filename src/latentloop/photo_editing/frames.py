"""Animations: images as a GIF, an MP4 or a folder of PNGs, and the animation of an edit."""

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
"""Suffixes of animation files; any other path is a folder for frames."""
FRAME_COUNT, FRAME_RATE = 60, 30
"""Number of frames in an edit's animation, and frames per second."""
LONGEST_SIDE = 1280
"""Largest width or height of an animation's frames, in pixels."""


def write_frames(path: Path, images: Iterable[Tensor], *, rate: int, comment: str) -> Path:
    """Write images (1, 3, H, W) in [-1, 1] as an animation; returns the path.

    Args:
        path: A .gif or .mp4 file, which appears whole or not at all, or a folder for frame-0000.png ...
        images: Images of one size.
        rate: Frames per second.
        comment: Text stored in each file beside the images.

    Raises:
        UserError: A file cannot be written, or it is an .mp4 and PyAV is not installed.
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
    """Check that an animation replaces neither its sources nor foreign files.

    Args:
        path: A .gif or .mp4 file, or a folder for frames.
        sources: Files that the animation is made from.
        ours: Tells whether a file is an earlier animation, or a frame of one, which may be replaced.

    Raises:
        UserError: Such a file is in the way, or the folder holds a source.
    """
    files = [Path(source) for source in sources]
    if path.suffix.lower() in ANIMATIONS:
        refuse_overwriting(path, files, ours=ours(path))
        return
    if not path.is_dir():
        refuse_overwriting(path, files, ours=False)
    if any(file.resolve().parent == path.resolve() for file in files):
        raise UserError(f"{path}: holds the pictures to morph; choose another folder", arguments="out")
    for frame in sorted(path.glob("frame-[0-9]*.png")):
        refuse_overwriting(frame, files, ours=ours(frame))


def check_length(path: Path, count: int) -> None:
    """Check that a folder has no frames of a longer animation, which would follow the new ones.

    Raises:
        UserError: It has such frames.
    """
    if path.suffix.lower() not in ANIMATIONS and _frame(path, count).exists():
        raise UserError(f"{path}: has frames of a longer animation; choose another folder", arguments="out")


def _frame(folder: Path, i: int) -> Path:
    return folder / f"frame-{i:04d}.png"


def animate_edit(editor: Editor, subject: Subject, change: Callable[[Tensor, float], Tensor]) -> Iterator[Tensor]:
    """Yield a subject's picture from unedited to edited and back: `FRAME_COUNT` images, (1, 3, H, W) in [-1, 1].

    They are scaled down if a side is longer than `LONGEST_SIDE`.

    Args:
        editor: Editor that draws the faces and pastes them into the photo.
        subject: Faces to edit.
        change: Edits codes (F, num_ws, w_dim) by a share of the whole edit.
    """
    subject = replace(subject, origin=_within(subject.origin)) if subject.origin else subject
    before = editor.before(subject)
    for i in range(FRAME_COUNT):
        share = 0.5 - 0.5 * math.cos(2 * math.pi * i / FRAME_COUNT)
        faces = editor.faces(change(subject.w_plus, share), subject.drawn_by)
        yield editor.into_photo(subject, faces, before=before)


def _within(origin: Origin) -> Origin:
    """Scale a photo and its quads down to the size of a video."""
    height, width = origin.image.shape[-2:]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    if scale == 1:
        return origin
    image = resize(origin.image, round(scale * height), round(scale * width))
    factors = origin.quads.new_tensor([image.shape[-1] / width, image.shape[-2] / height])
    # Quads count from pixel centres, scaling from the image's edge: hence the half pixel.
    return Origin(origin.path, image, (origin.quads + 0.5) * factors - 0.5)
