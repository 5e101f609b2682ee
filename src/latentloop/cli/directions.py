"""`latentloop directions`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from latentloop.cli.options import Common
from latentloop.defaults import GENERATOR
from latentloop.photo_editing.options import DirectionOptions

if TYPE_CHECKING:
    from latentloop.editing import Direction
    from latentloop.generators import Generator


@dataclass(frozen=True)
class List:
    """The directions that we ship for a generator, or those in a file: ours, or another project's."""

    file: Annotated[Path | None, tyro.conf.Positional] = None
    """InterFaceGAN's .npy, e4e's and rosinality's .pt, GANSpace's .npz, or a file of latentloop directions find."""
    generator: str = GENERATOR
    """Whose directions; one we ship, or a StyleGAN's file."""

    def run(self) -> int:
        """Print a table."""
        from latentloop.cli.console import say
        from latentloop.generators import load_generator
        from latentloop.photo_editing.direction_list import known_directions, table

        generator = load_generator(self.generator)
        found = known_directions(self.file, generator)
        if not found:
            say(f"no directions come with {generator.name}; find some: latentloop directions find --help", error=True)
        for line in table(found) if found else []:
            say(line)
        return 0


@dataclass(frozen=True)
class Samples:
    """Draw random pictures for you to score, so that find can learn an attribute from the scores.

    The folder gets the pictures, their codes, and scores.csv. Add a column for each attribute to that: with a number
    for each picture, the higher the more of it, or 1 and 0; leave pictures out that you are not sure of.
    """

    out: Path = Path("samples")
    """Folder for them."""
    common: Common = Common()
    count: int = 2000
    """How many pictures."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be 1 or more, got {self.count}")

    def run(self) -> int:
        """Draw and save them."""
        from latentloop.cli.console import say, track
        from latentloop.devices import find_device
        from latentloop.generators import load_generator
        from latentloop.photo_editing.direction_samples import SCORES, draw_scorable

        generator = load_generator(self.common.generator, device=find_device(self.common.device))
        written = draw_scorable(generator, self.out, self.count, seed=self.common.seed)
        for _ in track(written, self.count + 2, "pictures"):
            pass
        say(f"{self.count} pictures in {self.out}; add scores to {self.out / SCORES}")
        return 0


@dataclass(frozen=True)
class Find:
    """Find directions: what a generator's weights or its codes change most, or an attribute that you scored.

    Without scores: latentloop directions find --method sefa --layers 0-6 --sheet

    An attribute: latentloop directions samples --out faces, add a column smile to faces/scores.csv, then
    latentloop directions find --method interfacegan --samples faces --attribute smile --sheet
    """

    out: Path = Path("directions.safetensors")
    """File for the directions; the sheet gets its name with .png."""
    common: Common = Common()
    options: DirectionOptions = DirectionOptions()
    sheet: bool = False
    """Also draw what the directions do, from strength -3 to 3 on --faces random faces."""
    faces: int = 2
    """Faces on the sheet."""

    def __post_init__(self) -> None:
        if self.faces < 1:
            raise ValueError(f"faces must be 1 or more, got {self.faces}")

    def run(self) -> int:
        """Find and save them."""
        from latentloop.cli.console import say
        from latentloop.devices import find_device
        from latentloop.editing import save_directions
        from latentloop.generators import load_generator
        from latentloop.photo_editing.direction_list import table
        from latentloop.photo_editing.direction_search import find_directions

        generator = load_generator(self.common.generator, device=find_device(self.common.device))
        found = find_directions(generator, self.options, seed=self.common.seed)
        save_directions(self.out, found)
        for line in table(found):
            say(line)
        say(self.out)
        if self.sheet:
            say(self._drawn(generator, found))
        return 0

    def _drawn(self, generator: "Generator", found: "list[Direction]") -> Path:
        from latentloop.cli.console import track
        from latentloop.images import write_png
        from latentloop.photo_editing.direction_search import draw_rows, sheet

        rows = draw_rows(generator, found, faces=self.faces, seed=self.common.seed)
        drawn = list(track(rows, len(found) * self.faces, "rows"))
        write_png(self.out.with_suffix(".png"), sheet(drawn, found))
        return self.out.with_suffix(".png")


@dataclass(frozen=True)
class Directions:
    """Directions of a latent space: list those that there are, or find new ones."""

    do: (
        Annotated[List, tyro.conf.subcommand("list")]
        | Annotated[Find, tyro.conf.subcommand("find")]
        | Annotated[Samples, tyro.conf.subcommand("samples")]
    )

    def run(self) -> int:
        """Do it."""
        return self.do.run()
