"""`latentloop transfer`."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from latentloop.cli.subjects import Drawn, Found
from latentloop.defaults import EXPRESSION_LAYERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from latentloop.photo_editing.subjects import Subject


@dataclass(frozen=True)
class Transfer:
    """Give a face the expression of another person: what differs between two pictures of that person.

    The folder --out gets NAME.png (the photo with the new expression), faces/NAME.png, NAME.npz and strips/NAME.png,
    from the opposite of the expression to all of it.

    Try: latentloop transfer anna.jpg --neutral bob-calm.jpg --expressive bob-laughing.jpg

    More of it: latentloop transfer anna.jpg --neutral calm.npz --expressive laughing.npz --strength 1.5
    """

    pictures: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO|CODE...")]
    """Who gets it: photos, code files, folders, quoted globs, seed:NUMBER for a random face."""
    neutral: str | None = None
    """A picture of the other person without the expression: a photo, or a code."""
    expressive: str | None = None
    """One of the same person with it; the more alike the two are otherwise, the better."""
    strength: float = 1.0
    """How much of it; more than 1 exaggerates, negative ones give the opposite."""
    pair_steps: int = 0
    """Of the iterator on these two, after the network's one pass. What steps add to a code is of that picture alone: it
    hides what the two have apart."""
    layers: str = EXPRESSION_LAYERS
    """Which layers change: coarse, middle, fine, all, numbers such as 0-3,7. By default those that carry expression."""
    out: Path = Path("transferred")
    """Folder for the results."""
    found: Found = Found()
    drawn: Drawn = Drawn()

    def __post_init__(self) -> None:
        if not self.pictures:
            raise ValueError("name at least one photo or code")
        if not self.neutral or not self.expressive:
            raise ValueError("name two pictures of one person: --neutral and --expressive")
        if not math.isfinite(self.strength) or self.pair_steps < 0:
            raise ValueError("strength must be finite, and pair_steps 0 or more")

    def run(self) -> int:
        """Transfer; returns 2 if a picture could not be made."""
        from torch import Tensor

        from latentloop.editing import parse_layers, transfer
        from latentloop.errors import UserError
        from latentloop.photo_editing.edit_folder import EditFolder
        from latentloop.photo_editing.editor import strength_strip
        from latentloop.photo_editing.rendered_edit import render_edit
        from latentloop.photo_editing.subjects import canonical, expand_arguments, unique_paths

        arguments, pair = unique_paths(expand_arguments(self.pictures)), [str(self.neutral), str(self.expressive)]
        generator = self.found.load_generator()
        layers = parse_layers(self.layers, generator.num_ws)
        if canonical(pair[0]) == canonical(pair[1]):
            raise UserError("--neutral and --expressive are the same picture")
        finding = replace(self.found, steps=self.pair_steps, face="largest")
        faces = [one.w_plus for one in finding.together(pair, self.out / "pair", generator)]
        if [len(w_plus) for w_plus in faces] != [1, 1]:
            raise UserError("--neutral and --expressive take a picture of one face each")
        neutral, expressive = faces
        editor, folder = self.drawn.editor(generator), EditFolder(self.out, [*arguments, *pair])
        details = {"transfer": pair, "layers": self.layers, "strength": self.strength}

        def change(w_plus: Tensor, share: float) -> Tensor:
            return transfer(w_plus, neutral, expressive, layers, strength=share * self.strength)

        def results(subject: "Subject") -> "Iterator[Path]":
            done = render_edit(editor, subject, change(subject.w_plus, 1.0), generator, details)
            yield folder.save(subject.name, subject, done)
            yield folder.save_strip(subject.name, strength_strip(editor, subject, change, "{:+.2g}".format))

        return self.found.each(arguments, self.out, generator, results)
