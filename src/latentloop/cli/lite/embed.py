"""The command `latentloop-lite embed`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.cli.inputs import refuse_missing
from latentloop.cli.options import UNTITLED, required
from latentloop.embedding.options import FaceOptions
from latentloop.lite.options import RuntimeOptions


@dataclass(frozen=True)
class Embed:
    """Find the code of each photo in one pass, and save it with its image.

    Takes photos, folders and quoted globs. Each photo's face is found and aligned as in FFHQ, and the embedding network
    predicts its code. The folder --out gets the code as NAME.npz, the reconstruction as NAME.png and the target as
    aligned/NAME.png. Codes of latentloop embed, which are closer, are never replaced: NAME gets a few digits more.

    One photo: latentloop-lite embed photo.jpg

    Many, with a second look: latentloop-lite embed holiday/ "more/*.png" --out codes --looks 2

    Every face: latentloop-lite embed party.jpg --face all
    """

    photos: Annotated[tuple[str, ...], tyro.conf.Positional, required("PHOTO...")]
    """Image files, folders, quoted globs, also with braces."""
    out: Path = Path("embedded")
    """Folder for the codes and reconstructions."""
    faces: Annotated[FaceOptions, UNTITLED] = FaceOptions()
    runtime: RuntimeOptions = RuntimeOptions()

    def __post_init__(self) -> None:
        if not self.photos:
            raise ValueError("name at least one photo, folder or glob")

    def run(self) -> int:
        """Embed the photos; returns 2 if a photo failed."""
        refuse_missing(self.photos, each=[self.runtime.bundle])
        from latentloop.cli.lite.running import embed

        return embed(self)
