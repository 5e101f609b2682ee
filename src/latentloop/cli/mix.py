"""`latentloop mix`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from latentloop.cli.subjects import Drawn, Found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from latentloop.photo_editing.subjects import Subject


@dataclass(frozen=True)
class Mix:
    """Draw faces with some styles of other faces: style mixing.

    The coarse layers carry pose and shape, the middle ones features, the fine ones colours and light. The folder --out
    gets a picture PHOTO+STYLE.png of each photo with each style, its code, and strips/mix.png, a table of all.

    Colours and light of another photo: latentloop mix anna.jpg --styles bob.jpg

    Pose and shape of random faces: latentloop mix anna.jpg --styles seed:1 seed:2 seed:3 --layers coarse

    Half of the way: latentloop mix anna.jpg --styles bob.jpg --layers middle,fine --strength 0.5
    """

    pictures: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO|CODE...")]
    """Who is drawn: photos, code files, folders, quoted globs, seed:NUMBER for a random face."""
    styles: tuple[str, ...] = ()
    """Whose styles come in; as before. Of a photo with several faces, the first one's."""
    layers: str = "fine"
    """Which: coarse, middle, fine, all, numbers such as 0-3,7."""
    strength: float = 1.0
    """How much of the way: 0 changes nothing, 1 takes the other styles."""
    out: Path = Path("mixed")
    """Folder for the results."""
    found: Found = Found()
    drawn: Drawn = Drawn()

    def __post_init__(self) -> None:
        if not self.pictures or not self.styles:
            raise ValueError("name at least one photo or code, and one for --styles")
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength must be from 0 to 1, got {self.strength}")

    def run(self) -> int:
        """Mix; returns 2 if a picture could not be made."""
        from latentloop.cli.console import say
        from latentloop.editing import mix, parse_layers
        from latentloop.photo_editing.edit_folder import EditFolder
        from latentloop.photo_editing.mixing_table import MixingTable
        from latentloop.photo_editing.rendered_edit import render_edit
        from latentloop.photo_editing.subjects import expand_arguments, unique_paths

        arguments, styles = unique_paths(expand_arguments(self.pictures)), unique_paths(expand_arguments(self.styles))
        generator = self.found.load_generator()
        layers = parse_layers(self.layers, generator.num_ws)
        others = self.found.together(styles, self.out, generator)
        editor, folder = self.drawn.editor(generator), EditFolder(self.out, [*arguments, *styles])
        table = MixingTable(editor, others)

        def results(subject: "Subject") -> "Iterator[Path]":
            for other in others:
                w_plus = mix(subject.w_plus, other.w_plus[:1], layers, strength=self.strength)
                details = {"mix": other.name, "layers": self.layers, "strength": self.strength}
                done = render_edit(editor, subject, w_plus, generator, details)
                yield folder.save(f"{subject.name}+{other.name}", subject, done)
                table.add(subject, w_plus)

        code = self.found.each(arguments, self.out, generator, results)
        if table.rows:
            say(folder.save_strip("mix", table.image()))
        return code
