"""The command `latentloop directions`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.cli.inputs import refuse_missing
from latentloop.cli.options import UNTITLED
from latentloop.common import Common
from latentloop.defaults import GENERATOR, Which
from latentloop.photo_editing.direction_options import DirectionOptions


@dataclass(frozen=True)
class List:
    """List the directions bundled for a generator, or those in a file: ours, or another project's."""

    file: Annotated[Path | None, tyro.conf.Positional] = None
    """InterFaceGAN's .npy, e4e's and rosinality's .pt, GANSpace's .npz, or a file of latentloop directions find."""
    generator: str = GENERATOR
    """Generator that the directions are for: a bundled one, or a StyleGAN's file."""
    which: Which = "g_ema"
    """Weights to read if a StyleGAN's file has both: g_ema, their running mean, or g, the weights as trained."""

    def run(self) -> int:
        """Print a table of the directions."""
        refuse_missing(each=[self.file], generators=[self.generator])
        from latentloop.cli.direction_jobs import list_known

        return list_known(self.file, self.generator, self.which)


@dataclass(frozen=True)
class Samples:
    """Draw random pictures for you to score, so that find can learn an attribute from the scores.

    The folder gets the pictures, their codes, and scores.csv. Add one column to this table per attribute, with a number
    for each picture: higher for more of the attribute, or 1 and 0. Leave cells of uncertain pictures empty.
    """

    out: Path = Path("samples")
    """Folder for the pictures, their codes and the table."""
    common: Common = Common()
    count: int = 2000
    """Number of pictures to draw."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be 1 or more, got {self.count}")

    def run(self) -> int:
        """Draw and save the pictures."""
        refuse_missing(generators=[self.common.generator])
        from latentloop.cli.direction_jobs import draw_samples

        return draw_samples(self)


@dataclass(frozen=True)
class Find:
    """Find directions: of the largest changes in a generator's weights or codes, or of an attribute that you scored.

    Without scores: latentloop directions find --method sefa --layers 0-6 --sheet

    An attribute: latentloop directions samples --out faces, add a column smile to faces/scores.csv, then
    latentloop directions find --method interfacegan --samples faces --attribute smile --sheet
    """

    out: Path = Path("directions.safetensors")
    """File for the directions; the sheet gets the same name with .png."""
    common: Common = Common()
    options: Annotated[DirectionOptions, UNTITLED] = DirectionOptions()
    sheet: bool = False
    """Also draw each direction's effect, at strengths from -3 to 3 on --faces random faces."""
    faces: int = 2
    """Number of faces on the sheet."""

    def __post_init__(self) -> None:
        if self.faces < 1:
            raise ValueError(f"faces must be 1 or more, got {self.faces}")

    def run(self) -> int:
        """Find and save the directions."""
        samples = self.options.samples if isinstance(self.options.samples, Path) else None
        refuse_missing(each=[self.options.scores, samples], generators=[self.common.generator])
        from latentloop.cli.direction_jobs import find_and_draw

        return find_and_draw(self)


@dataclass(frozen=True)
class Directions:
    """List the directions that photos can be edited in, or find more of them."""

    do: (
        Annotated[List, tyro.conf.subcommand("list")]
        | Annotated[Find, tyro.conf.subcommand("find")]
        | Annotated[Samples, tyro.conf.subcommand("samples")]
    )

    def run(self) -> int:
        """Run the chosen subcommand and return its exit code."""
        return self.do.run()
