"""The command `latentloop-lite edit`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.cli.inputs import refuse_missing
from latentloop.cli.options import UNTITLED, required
from latentloop.embedding.options import FaceOptions
from latentloop.lite.options import LiteEditOptions, RuntimeOptions
from latentloop.photo_editing.options import parse_strengths


@dataclass(frozen=True)
class Edit:
    """Change attributes of a face, and paste it back into its photo.

    Takes photos, folders, quoted globs and code files. The code of a photo is found in one pass of the embedding
    network. The folder --out gets PHOTO-EDIT.png, such as anna-smile1.5.png (the photo with the edited face, at its own
    size), faces/PHOTO-EDIT.png (the face alone) and PHOTO-EDIT.npz (the edited code); for a code file the face alone.

    A smile: latentloop-lite edit photo.jpg --set smile=1.5

    Into one file: latentloop-lite edit photo.jpg --set smile=1.5 --out smiling.png

    Older, with the head turned, as the same person: latentloop-lite edit photo.jpg --set age=2 yaw=-1 --keep gender

    Several strengths side by side: latentloop-lite edit photo.jpg --set age=2 --strip

    Your own networks: latentloop-lite edit photo.jpg --set smile=1 --bundle exported

    Available directions: latentloop-lite directions
    """

    pictures: Annotated[tuple[str, ...], tyro.conf.Positional, required("PHOTO|CODE...")]
    """Photos, folders, quoted globs, code files."""
    set: Annotated[tuple[str, ...], required()] = ()
    """Directions and strengths, NAME=NUMBER: 1 is a clear change, 0 none, negative values do the opposite."""
    out: Path = Path("edited")
    """Folder for the edited pictures and codes; for a single photo also a .png or .jpg file for the picture alone."""
    options: Annotated[LiteEditOptions, UNTITLED] = LiteEditOptions()
    faces: FaceOptions = FaceOptions()
    runtime: RuntimeOptions = RuntimeOptions()

    def __post_init__(self) -> None:
        if not self.pictures:
            raise ValueError("name at least one photo or code, before the options")
        if not self.set:
            raise ValueError("say what to change: --set smile=1; latentloop-lite directions shows what there is")
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
        refuse_missing(self.pictures, each=[self.runtime.bundle])
        from latentloop.cli.lite.running import edit

        return edit(self)
