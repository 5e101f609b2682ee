"""The command `latentloop generate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from latentloop import latents
from latentloop.cli.console import say, track
from latentloop.cli.inputs import refuse_missing
from latentloop.cli.options import UNTITLED
from latentloop.latents.options import SampleOptions


@dataclass(frozen=True)
class Generate:
    """Draw random images: the simplest check that a generator works.

    The folder --out gets one PNG per image, and sheet.png with all of them.

    Try: latentloop generate --count 8 --truncation-psi 0.5 --seed 7
    """

    out: Path = Path("generated")
    """Folder for the images."""
    options: Annotated[SampleOptions, UNTITLED] = SampleOptions()

    def run(self) -> int:
        """Draw and save the images."""
        refuse_missing(generators=[self.options.common.generator])
        images = latents.generate_images(self.out, self.options)
        for path in track(images, self.options.count + 1, "images"):
            say(path)
        return 0
