"""Lists of the available directions, with their measurements."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentloop.editing import Direction, directions_in, read_directions, shipped_directions
from latentloop.editing.direction_file import SHIPPED
from latentloop.editing.layers import describe_layers
from latentloop.errors import UserError, in_one_line
from latentloop.generators import Generator, check_generator
from latentloop.weights import is_safetensors


@dataclass(frozen=True)
class DirectionInfo:
    """Description of a direction, for listings; printed, it is its name and what it does."""

    name: str
    """Name of the direction, as edits accept it."""
    positive: str
    """Effect of positive strengths, such as "smiles more"; "-" if unknown."""
    layers: str = field(repr=False)
    """Layers that it changes, such as "0-3,7"."""
    measured: str = field(repr=False)
    """Summary of measurements; "-" if there are none."""
    licence: str = field(repr=False)
    """Licence under which the direction may be used."""
    generator: str = field(repr=False)
    """Name of the generator that the direction was computed for."""


def list_directions(generator: Generator | None = None) -> list[DirectionInfo]:
    """List the bundled directions, in the order in which they are stored; nothing is drawn.

    Args:
        generator: Leave out the directions of other generators' latent spaces; None lists all.

    Raises:
        ValueError: `generator` is none.
    """
    if generator is not None:
        check_generator(generator)
    if generator is not None:
        return [info_of(one) for one in shipped_directions(generator).values()]
    return [info_of(one) for file in SHIPPED for one in read_directions(file).values()]


def info_of(direction: Direction) -> DirectionInfo:
    """Describe a direction in printable words, whatever its file contains."""
    return DirectionInfo(
        direction.name,
        in_one_line(UserError(direction.about.get("positive", "-"))),
        describe_layers(direction.layers),
        measured(direction),
        in_one_line(UserError(direction.licence)),
        in_one_line(UserError(direction.generator)),
    )


def known_directions(path: Path | None, generator: Generator) -> list[Direction]:
    """Read the directions of a file, whichever generator they are for, or the bundled ones of a generator.

    Raises:
        UserError: There is no such file, or it has no directions.
    """
    if path is None:
        return list(shipped_directions(generator).values())
    ours = path.is_file() and is_safetensors(path)
    return list((read_directions(path) if ours else directions_in(path, generator)).values())


def table(directions: Sequence[Direction]) -> list[str]:
    """Describe directions in a table: its head and a line each, in columns of one width."""
    infos = [info_of(one) for one in directions]
    rows = [(one.name, one.positive, one.layers, one.measured, one.licence) for one in infos]
    rows.insert(0, ("name", "positive", "layers", "measured", "licence"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def measured(direction: Direction) -> str:
    """Summarize the measurements of a direction in a few words; "-" if there are none."""
    with suppress(LookupError, TypeError, ValueError, AttributeError, OverflowError):  # files may tell anything
        return _calibrated(direction.about)
    figures = {name: value for name, value in direction.about.items() if isinstance(value, int | float)}
    with suppress(OverflowError):  # an integer without end
        return in_one_line(UserError(", ".join(f"{name} {value:.4g}" for name, value in figures.items()) or "-"))
    return "-"


def _calibrated(about: dict[str, Any]) -> str:
    """Scores of a bundled direction at both ends, and the identity that it costs."""
    low, high = (f"{about['scores'][i]:.3g} at {about['strengths'][i]:+g}" for i in (0, -1))
    lost = ", ".join(f"{cost:.2f} at {strength}" for strength, cost in about["identity lost"].items())
    return in_one_line(UserError(f"{about['score']}: {low}, {high}; identity lost: {lost}"))
