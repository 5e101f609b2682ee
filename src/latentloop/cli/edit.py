"""The command `latentloop edit`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.cli.inputs import refuse_missing_faces
from latentloop.cli.options import UNTITLED, required
from latentloop.photo_editing.options import EditOptions, RenderOptions, parse_strengths
from latentloop.photo_editing.subject_options import SubjectOptions


@dataclass(frozen=True)
class Edit:
    """Change attributes of a face, and paste it back into its photo.

    Takes photos, videos, code files, files with codes of other projects, and seed:7 for a random face; folders and
    quoted globs of photos and codes. The folder --out gets PHOTO-EDIT.png, such as anna-smile1.5.png (the photo with
    the edited face, at its own size), faces/PHOTO-EDIT.png (the face alone) and PHOTO-EDIT.npz (the edited code); for a
    video PHOTO-EDIT.mp4, with its sound, and PHOTO-EDIT.json, a measurement of flicker. The code of a photo is computed
    once and kept in the folder --codes; codes that latentloop embed left there are used.

    A smile: latentloop edit photo.jpg --set smile=1.5

    Older, with the head turned, as the same person: latentloop edit photo.jpg --set age=2 yaw=-1 --keep gender glasses

    Several strengths side by side: latentloop edit photo.jpg --set age=2 --strip

    A code found before: latentloop edit embedded/photo.npz --photos photo.jpg --set smile=1

    A direction of your own: latentloop edit seed:7 --set directions.safetensors:sefa0=2

    A video, with its sound, or an animated GIF: latentloop edit clip.mp4 --set smile=1

    Available directions: latentloop directions list
    """

    pictures: Annotated[tuple[str, ...], tyro.conf.Positional, required("PHOTO|CODE...")]
    """Photos, code files, folders, quoted globs, seed:NUMBER."""
    set: Annotated[tuple[str, ...], required()] = ()
    """Directions and strengths, NAME=NUMBER: 1 is a clear change, 0 none, negative values do the opposite."""
    out: Path = Path("edited")
    """Folder for the edited pictures and codes."""
    options: Annotated[EditOptions, UNTITLED] = EditOptions()
    subjects: SubjectOptions = SubjectOptions()
    render: RenderOptions = RenderOptions()

    def __post_init__(self) -> None:
        if not self.pictures:
            raise ValueError("name at least one photo or code, before the options")
        if not self.set:
            raise ValueError("say what to change: --set smile=1; latentloop directions list shows what there is")
        self.strengths  # noqa: B018 - parsed here so that a mistake is reported before slow imports

    @property
    def strengths(self) -> dict[str, float]:
        """Strength of each direction, by its name.

        Raises:
            ValueError: An entry of `set` is not NAME=NUMBER.
        """
        return parse_strengths(self.set)

    def run(self) -> int:
        """Edit the pictures; returns 2 if one could not be edited."""
        refuse_missing_faces(self.subjects, self.pictures)
        from latentloop.cli.editing import console_listener, say_video
        from latentloop.photo_editing import edit_files

        complete = edit_files(
            self.pictures,
            self.strengths,
            self.out,
            options=self.options,
            subjects=self.subjects,
            render=self.render,
            listener=console_listener(),
            on_video=say_video,
        )
        return 0 if complete else 2
