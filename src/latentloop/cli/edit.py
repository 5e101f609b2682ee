"""`latentloop edit`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from latentloop.cli.edit_video import ENDINGS, VideoEdits
from latentloop.cli.subjects import Drawn, Found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from latentloop.photo_editing.subjects import Subject


FAR = 3.0
"""Strengths up to which faces are still faces, most of them; of the directions that ship."""
MOST_SMOOTH = 1000


@dataclass(frozen=True)
class Edit:
    """Change what a code is of, and put the face back into its photo.

    Takes photos, videos, code files, files with codes of other projects, and seed:7 for a random face; folders and
    quoted globs of photos and codes. The folder --out gets NAME-EDIT.png (the photo with the edited face, of its own
    size; EDIT says what was changed: photo-smile1.5.png), faces/NAME-EDIT.png (the face alone), NAME-EDIT.npz (the
    edited code) and embedded/ (the codes found, which the next edit of the photo takes again); of a video
    NAME-EDIT.mp4, with its sound, and NAME-EDIT.json, which says how much the face flickers.

    A smile: latentloop edit photo.jpg --set smile=1.5

    Older, with the head turned, as the same person: latentloop edit photo.jpg --set age=2 yaw=-1 --keep gender

    How far to go: latentloop edit photo.jpg --set age=2 --strip

    A code found before: latentloop edit embedded/photo.npz --photos photo.jpg --set smile=1

    A direction of your own: latentloop edit seed:7 --set directions.safetensors:sefa0=2

    A video, with its sound: latentloop edit clip.mp4 --set smile=1

    What there is: latentloop directions list
    """

    pictures: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO|CODE...")]
    """Photos, code files, folders, quoted globs, seed:NUMBER."""
    set: tuple[str, ...] = ()
    """Directions and strengths, NAME=NUMBER: 1 is a clear change, 0 none, negative ones go the other way."""
    keep: tuple[str, ...] = ()
    """Directions whose attributes should not change: what the others have in common with them is taken away."""
    layers: str | None = None
    """Layers that change: coarse, middle, fine, all, numbers such as 0-3,7; unset: each direction's own."""
    out: Path = Path("edited")
    """Folder for the results."""
    strip: bool = False
    """Write strips/NAME-EDIT.png, too: the faces at strengths from the opposite of the edit to all of it."""
    video: bool = False
    """Write NAME-EDIT.mp4, too: from nothing to all of the edit and back. Needs PyAV."""
    smooth: float = 2.0
    """Of videos: how much the codes are smoothed in time, as the standard deviation of a Gaussian in frames."""
    found: Found = Found()
    drawn: Drawn = Drawn()

    def __post_init__(self) -> None:
        if not self.pictures:
            raise ValueError("name at least one photo or code, before the options")
        if not self.set:
            raise ValueError("say what to change: --set smile=1; latentloop directions list shows what there is")
        if not 0 <= self.smooth <= MOST_SMOOTH:
            raise ValueError(f"smooth must be from 0 to {MOST_SMOOTH}, got {self.smooth}")
        self._strengths()

    def run(self) -> int:
        """Edit; returns 2 if a picture could not be."""
        from latentloop.cli.console import say, track
        from latentloop.editing import shipped_directions
        from latentloop.errors import UserError
        from latentloop.photo_editing.applied_directions import resolve_directions
        from latentloop.photo_editing.edit_folder import EditFolder
        from latentloop.photo_editing.edit_name import edit_suffix
        from latentloop.photo_editing.editor import strength_strip
        from latentloop.photo_editing.frames import FRAME_COUNT, FRAME_RATE, animate_edit
        from latentloop.photo_editing.rendered_edit import render_edit
        from latentloop.photo_editing.subjects import expand_arguments, unique_paths
        from latentloop.video.files import pyav

        if self.video:
            pyav()
        named = unique_paths(expand_arguments(self.pictures))
        videos = [Path(one) for one in named if Path(one).suffix.lower() in ENDINGS]
        if videos and (self.strip or self.video):
            raise UserError("videos take neither --strip nor --video; edit them apart from photos")
        arguments = [one for one in named if Path(one) not in videos]
        generator = self.found.load_generator()
        edits = resolve_directions(self._strengths(), generator, keep=self.keep, layers=self.layers)
        editor, folder = self.drawn.editor(generator), EditFolder(self.out, named)
        ours = shipped_directions(generator)
        far = [f"{name}={strength:g}" for name, strength in self._strengths() if name in ours and abs(strength) > FAR]
        if far:
            say(f"latentloop: {', '.join(far)}: faces fall apart beyond strengths of {FAR:g}", error=True)
        suffix = edit_suffix(self._strengths(), keep=self.keep, layers=self.layers)
        details = {"set": list(self.set), "keep": list(self.keep), "layers": self.layers}

        def results(subject: "Subject") -> "Iterator[Path]":
            done = render_edit(editor, subject, edits.apply(subject.w_plus), generator, details)
            name = f"{subject.name}-{suffix}"
            yield folder.save(name, subject, done)
            if self.strip:
                yield folder.save_strip(name, strength_strip(editor, subject, edits.apply, edits.label))
            if self.video:
                frames = track(animate_edit(editor, subject, edits.apply), FRAME_COUNT, "frames")
                yield folder.save_animation(name, frames, rate=FRAME_RATE)

        failed = self.found.each(arguments, self.out, generator, results)
        video_edits = VideoEdits(folder, self.found, self.drawn, self.smooth, suffix)
        return max(failed, *(video_edits.attempt(path, generator, edits) for path in videos), 0)

    def _strengths(self) -> list[tuple[str, float]]:
        return [_strength(one) for one in self.set]


def _strength(text: str) -> tuple[str, float]:
    """A direction and how far to go, of "smile=1.5"."""
    name, _, number = text.rpartition("=")
    try:
        strength = float(number)
    except ValueError:
        strength = math.nan
    if not name or not math.isfinite(strength):
        raise ValueError(f"set takes NAME=NUMBER, such as smile=1.5, got {text}")
    return name, strength
