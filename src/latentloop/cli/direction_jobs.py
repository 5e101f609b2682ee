"""Implementation of `latentloop directions`; imported only when it runs, because it imports PyTorch."""

from pathlib import Path
from typing import TYPE_CHECKING

from latentloop.cli.complaints import complain
from latentloop.cli.console import say, track
from latentloop.common import Common
from latentloop.defaults import Which
from latentloop.devices import find_device
from latentloop.editing import save_directions
from latentloop.editing.direction_file import is_direction_file
from latentloop.generators import Generator, load_generator
from latentloop.images import write_png
from latentloop.ownership import mark, marked_by, refuse_foreign
from latentloop.photo_editing.direction_list import known_directions, table
from latentloop.photo_editing.direction_samples import COMMAND, SCORES, draw_scorable
from latentloop.photo_editing.direction_search import draw_rows, find_directions, sheet

if TYPE_CHECKING:
    from latentloop.cli.directions import Find, Samples


def list_known(file: Path | None, generator_name: str, which: Which) -> int:
    """Print a table of the directions in a file, or of those bundled for a generator."""
    generator = load_generator(generator_name, which=which)
    directions = known_directions(file, generator)
    if not directions:
        complain(f"no directions come with {generator.name}; find some: latentloop directions find --help")
        return 0
    for line in table(directions):
        say(line)
    return 0


def draw_samples(command: "Samples") -> int:
    """Draw the images to be scored."""
    written = draw_scorable(_load(command.common), command.out, command.count, seed=command.common.seed)
    for _ in track(written, command.count + 2, "pictures"):
        pass
    say(f"{command.count} pictures in {command.out}; add scores to {command.out / SCORES}")
    return 0


def find_and_draw(command: "Find") -> int:
    """Find directions, save them, and draw their sheet if `--sheet` is given."""
    sheet_path = command.out.with_suffix(".png")
    refuse_foreign([command.out], is_direction_file)
    refuse_foreign([sheet_path] if command.sheet else [], marked_by(COMMAND))
    generator, seed = _load(command.common), command.common.seed
    directions = find_directions(generator, command.options, seed=seed)
    save_directions(command.out, directions)
    for line in [*table(directions), command.out]:
        say(line)
    if command.sheet:
        rows = draw_rows(generator, directions, faces=command.faces, seed=seed)
        drawn = list(track(rows, len(directions) * command.faces, "rows"))
        write_png(sheet_path, sheet(drawn, directions), comment=mark(COMMAND))
        say(sheet_path)
    return 0


def _load(common: Common) -> Generator:
    return load_generator(common.generator, which=common.which, device=find_device(common.device))
