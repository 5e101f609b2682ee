"""Lists of available directions with their measurements."""

from pathlib import Path

from latentloop.editing import Direction, directions_in, read_directions, shipped_directions
from latentloop.editing.direction_entries import NAME, SHIPPED
from latentloop.generators import Generator, check_generator
from latentloop.hub import local_name
from latentloop.photo_editing.direction_table import DirectionInfo as DirectionInfo
from latentloop.photo_editing.direction_table import info_of as info_of
from latentloop.photo_editing.direction_table import measured as measured
from latentloop.photo_editing.direction_table import table as table
from latentloop.weights import is_safetensors


def list_directions(generator: Generator | None = None) -> list[DirectionInfo]:
    """List the bundled directions, in the order in which they are stored; nothing is drawn.

    Args:
        generator: Only list directions of this generator's latent space; None lists all.

    Raises:
        ValueError: `generator` is not a generator.
    """
    if generator is not None:
        check_generator(generator)
    if generator is not None:
        return [info_of(one) for one in shipped_directions(generator).values()]
    return [info_of(one) for file in SHIPPED for one in read_directions(file).values()]


def known_directions(path: Path | None, generator: Generator) -> list[Direction]:
    """Read the directions in a file, for any generator, or the bundled ones of a generator.

    Raises:
        UserError: The file does not exist or has no directions.
    """
    if path is None:
        return list(shipped_directions(generator).values())
    path = Path(local_name(path, NAME))
    ours = path.is_file() and is_safetensors(path)
    return list((read_directions(path) if ours else directions_in(path, generator)).values())
