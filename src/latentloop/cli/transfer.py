"""The command `latentloop transfer`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.cli.inputs import refuse_missing_faces
from latentloop.cli.options import UNTITLED, required
from latentloop.photo_editing.job_options import TransferOptions
from latentloop.photo_editing.options import RenderOptions
from latentloop.photo_editing.subject_options import SubjectOptions


@dataclass(frozen=True)
class Transfer:
    """Give a face the expression of another person: the difference between two pictures of that person.

    The folder --out gets NAME.png (the photo with the new expression), faces/NAME.png, NAME.npz and strips/NAME.png,
    a row of strengths from the opposite expression to the full one.

    Try: latentloop transfer anna.jpg --neutral bob-calm.jpg --expressive bob-laughing.jpg

    A stronger expression: latentloop transfer anna.jpg --neutral calm.npz --expressive laughing.npz --strength 1.5
    """

    pictures: Annotated[tuple[str, ...], tyro.conf.Positional, required("PHOTO|CODE...")]
    """Faces that get the expression: photos, code files, folders, quoted globs, seed:NUMBER for a random face."""
    neutral: Annotated[str, required()] = ""
    """Picture of the other person without the expression: a photo, or a code."""
    expressive: Annotated[str, required()] = ""
    """Picture of the same person with it; the more alike the two are otherwise, the better."""
    out: Path = Path("transferred")
    """Folder for the faces with the new expression."""
    options: Annotated[TransferOptions, UNTITLED] = TransferOptions()
    subjects: SubjectOptions = SubjectOptions()
    render: RenderOptions = RenderOptions()

    def __post_init__(self) -> None:
        if not self.pictures:
            raise ValueError("name at least one photo or code")
        if not self.neutral or not self.expressive:
            raise ValueError("name two pictures of one person: --neutral and --expressive")

    def run(self) -> int:
        """Transfer the expression; returns 2 if a picture failed."""
        refuse_missing_faces(self.subjects, self.pictures, each=[self.neutral, self.expressive])
        from latentloop.cli.editing import console_listener
        from latentloop.photo_editing import transfer_files

        complete = transfer_files(
            self.pictures,
            (self.neutral, self.expressive),
            self.out,
            options=self.options,
            subjects=self.subjects,
            render=self.render,
            listener=console_listener(),
        )
        return 0 if complete else 2
