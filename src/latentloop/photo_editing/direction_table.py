"""Descriptions of directions with their measurements; imports no PyTorch."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from latentloop.editing.layer_names import describe_layers
from latentloop.errors import UserError, in_one_line


class Described(Protocol):
    """Interface of a direction, independent of how its vector is stored."""

    @property
    def name(self) -> str:
        """Name of the direction."""
        ...

    @property
    def layers(self) -> tuple[int, ...]:
        """Indices of the layers that it changes."""
        ...

    @property
    def licence(self) -> str:
        """Licence under which the direction may be used."""
        ...

    @property
    def generator(self) -> str:
        """Name of the generator that it was computed for."""
        ...

    @property
    def about(self) -> dict[str, Any]:
        """Measurements as JSON values."""
        ...


@dataclass(frozen=True)
class DirectionInfo:
    """Description of a direction for listings; its repr is name and effect."""

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


def info_of(direction: Described) -> DirectionInfo:
    """Describe a direction in printable characters, whatever its file contains."""
    return DirectionInfo(
        direction.name,
        in_one_line(UserError(direction.about.get("positive", "-"))),
        describe_layers(direction.layers),
        measured(direction),
        in_one_line(UserError(direction.licence)),
        in_one_line(UserError(direction.generator)),
    )


def table(directions: Sequence[Described]) -> list[str]:
    """Format directions as a table: a header and one line each, in aligned columns."""
    infos = [info_of(one) for one in directions]
    rows = [(one.name, one.positive, one.layers, one.measured, one.licence) for one in infos]
    rows.insert(0, ("name", "positive", "layers", "measured", "licence"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def measured(direction: Described) -> str:
    """Summarize the measurements of a direction; "-" if there are none."""
    with suppress(LookupError, TypeError, ValueError, AttributeError, OverflowError):  # a file may contain anything
        return _calibrated(direction.about)
    figures = {name: value for name, value in direction.about.items() if isinstance(value, int | float)}
    with suppress(OverflowError):  # an integer too large for a float
        return in_one_line(UserError(", ".join(f"{name} {value:.4g}" for name, value in figures.items()) or "-"))
    return "-"


def _calibrated(about: dict[str, Any]) -> str:
    """Format a bundled direction's scores at both ends, and its cost in identity."""
    low, high = (f"{about['scores'][i]:.3g} at {about['strengths'][i]:+g}" for i in (0, -1))
    lost = ", ".join(f"{cost:.2f} at {strength}" for strength, cost in about["identity lost"].items())
    return in_one_line(UserError(f"{about['score']}: {low}, {high}; identity lost: {lost}"))
