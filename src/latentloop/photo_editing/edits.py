"""An edit as a user writes it: directions and strengths."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from latentloop.editing import Direction, conditional, edit, parse_layers
from latentloop.editing.direction_file import find_direction
from latentloop.errors import UserError
from latentloop.generators import Generator

NOTHING = 1e-3
"""Share of a direction's length that is what remains of rounding."""


@dataclass(frozen=True)
class Edits:
    """Directions, each with how far to go."""

    edits: Sequence[tuple[Direction, float]]

    def apply(self, w_plus: Tensor, share: float = 1.0) -> Tensor:
        """Edit codes (N, num_ws, w_dim) by a share of it all; 0 changes nothing."""
        return edit(w_plus, [(direction, share * strength) for direction, strength in self.edits])

    def label(self, share: float) -> str:
        """What a share of it is."""
        if not share:
            return "unedited"
        return ", ".join(f"{direction.name} {share * strength:+.3g}" for direction, strength in self.edits)


def find_edits(
    strengths: Sequence[tuple[str, float]], generator: Generator, *, keep: Sequence[str] = (), layers: str | None = None
) -> Edits:
    """Find the directions of an edit.

    Args:
        strengths: What `find_direction` finds, and how far.
        generator: Whose codes are edited.
        keep: Directions that the others are made orthogonal to; see `conditional`.
        layers: As `parse_layers` reads them; None for each direction's own.

    Raises:
        UserError: There is no such direction or layer, a direction is another generator's, or nothing of it is left.
    """
    kept = [find_direction(name, generator) for name in keep]
    edits = []
    for name, strength in strengths:
        direction = find_direction(name, generator)
        if layers is not None:
            direction = replace(direction, layers=parse_layers(layers, generator.num_ws))
        rest = conditional(direction, kept)
        if rest.change().norm() <= NOTHING * direction.vector.norm():
            raise UserError(f"{name}: nothing is left to change, with --keep and --layers as they are")
        edits.append((rest, strength))
    return Edits(edits)
