"""The command `latentloop mix`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.cli.inputs import refuse_missing_faces
from latentloop.cli.options import UNTITLED, required
from latentloop.photo_editing.job_options import MixOptions
from latentloop.photo_editing.options import RenderOptions
from latentloop.photo_editing.subject_options import SubjectOptions


@dataclass(frozen=True)
class Mix:
    """Draw faces with some styles of other faces: style mixing.

    Coarse layers determine pose and shape, middle ones the features, fine ones colours and light. The folder --out
    gets PHOTO+STYLE.png for each photo with each style, its code, and strips/mix.png, a table of all.

    Colours and light of another photo: latentloop mix anna.jpg --styles bob.jpg

    Pose and shape of random faces: latentloop mix anna.jpg --styles seed:1 seed:2 seed:3 --layers coarse

    Half of a style: latentloop mix anna.jpg --styles bob.jpg --layers middle,fine --strength 0.5
    """

    pictures: Annotated[tuple[str, ...], tyro.conf.Positional, required("PHOTO|CODE...")]
    """Faces to change: photos, code files, folders, quoted globs, seed:NUMBER for a random face."""
    styles: Annotated[tuple[str, ...], required()] = ()
    """Faces that provide the styles: photos, code files, folders, quoted globs, seed:NUMBER. If a photo has several
    faces, the first one is used."""
    out: Path = Path("mixed")
    """Folder for the mixed faces and the table."""
    options: Annotated[MixOptions, UNTITLED] = MixOptions()
    subjects: SubjectOptions = SubjectOptions()
    render: RenderOptions = RenderOptions()

    def __post_init__(self) -> None:
        if not self.pictures or not self.styles:
            raise ValueError("name at least one photo or code, and one for --styles")

    def run(self) -> int:
        """Draw the mixed faces; returns 2 if a picture failed."""
        refuse_missing_faces(self.subjects, self.pictures, each=self.styles)
        from latentloop.cli.editing import console_listener
        from latentloop.photo_editing import mix_files

        complete = mix_files(
            self.pictures,
            self.styles,
            self.out,
            options=self.options,
            subjects=self.subjects,
            render=self.render,
            listener=console_listener(),
        )
        return 0 if complete else 2
