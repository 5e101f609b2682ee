"""The command `latentloop morph`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.cli.inputs import is_one_photo, refuse_missing_faces
from latentloop.cli.options import UNTITLED, required
from latentloop.errors import UserError
from latentloop.photo_editing.job_options import MorphOptions
from latentloop.photo_editing.subject_options import SubjectOptions

ANIMATIONS = (".gif", ".mp4")
"""Suffixes of animation files; an output without suffix is a folder of frames."""


@dataclass(frozen=True)
class Morph:
    """Turn one face into the next: a GIF, an MP4 or a folder of frames.

    The frames between two faces are drawn from codes interpolated between theirs.

    Two photos: latentloop morph anna.jpg bob.jpg

    An endless loop: latentloop morph anna.jpg bob.jpg seed:7 --loop --ease --out round.mp4

    Pose and shape only: latentloop morph anna.jpg bob.jpg --layers coarse

    Frames as pictures: latentloop morph anna.npz bob.npz --frames 120 --out frames
    """

    pictures: Annotated[tuple[str, ...], tyro.conf.Positional, required("PHOTO|CODE...")]
    """Two or more faces, in this order: photos, code files, seed:NUMBER for a random face."""
    out: Path = Path("morph.gif")
    """A .gif file, an .mp4 file (needs PyAV), or a folder for the frames."""
    options: Annotated[MorphOptions, UNTITLED] = MorphOptions()
    subjects: SubjectOptions = SubjectOptions()

    def __post_init__(self) -> None:
        if not self.pictures:
            raise ValueError("name at least two photos or codes")
        if self.out.suffix and self.out.suffix.lower() not in ANIMATIONS:
            raise ValueError(f"out must end in .gif or .mp4, or be a folder for frames, got {self.out}")

    def run(self) -> int:
        """Draw the frames and write the animation."""
        refuse_missing_faces(self.subjects, each=self.pictures)
        if len(self.pictures) == 1 and is_one_photo(self.pictures[0]) and self.subjects.faces.face != "all":
            raise UserError("a morph takes two faces or more; name at least two photos or codes")
        from latentloop.cli.console import say
        from latentloop.cli.editing import console_listener
        from latentloop.photo_editing import morph_files

        options, listener = self.options, console_listener()
        say(morph_files(self.pictures, self.out, options=options, subjects=self.subjects, listener=listener))
        return 0
