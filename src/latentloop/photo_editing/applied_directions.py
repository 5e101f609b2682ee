"""Directions with strengths: an edit as a user writes it, ready to be applied to codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from latentloop.editing import Direction, conditional, edit, parse_layers
from latentloop.editing.added_strengths import added
from latentloop.editing.direction_entries import NOTHING
from latentloop.editing.direction_file import find_direction
from latentloop.embedding.options import EmbedOptions
from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.options import flat_fields
from latentloop.photo_editing.edit_name import label_of
from latentloop.photo_editing.edit_name import record_edit as record_edit


@dataclass(frozen=True)
class AppliedDirections:
    """Directions, each with the distance that codes move along it."""

    edits: Sequence[tuple[Direction, float]]
    """Each direction with its strength; 1 is a clear change, negative values do the opposite."""

    def apply(self, w_plus: Tensor, share: float = 1.0) -> Tensor:
        """Move codes (N, num_ws, w_dim) by a share of the edit; 0 changes nothing, -1 does the opposite."""
        return edit(w_plus, [(direction, share * strength) for direction, strength in self.edits])

    def label(self, share: float) -> str:
        """Format the strengths at a share of the edit, such as "smile +0.5"."""
        return label_of([(direction.name, strength) for direction, strength in self.edits], share)


def resolve_directions(
    strengths: Sequence[tuple[str, float]], generator: Generator, *, keep: Sequence[str] = (), layers: str | None = None
) -> AppliedDirections:
    """Look up the directions of an edit, and restrict them to what may change.

    Args:
        strengths: Names, as `find_direction` accepts them, and strengths.
        generator: Generator whose codes are edited.
        keep: Directions that the others are made orthogonal to; see `conditional`.
        layers: Layers that change, as `parse_layers` reads them; None for each direction's own.

    Raises:
        UserError: A direction or layer is unknown, a direction belongs to another generator, or `keep` and `layers`
            leave nothing of it.
    """
    kept = [find_direction(name, generator) for name in keep]
    edits = []
    for name, strength in strengths:
        direction = find_direction(name, generator)
        if layers is not None:
            direction = replace(direction, layers=parse_layers(layers, generator.num_ws))
        edits.append((restricted(direction, kept, name=name), strength))
    return AppliedDirections(edits)


def restricted(direction: Direction, kept: Sequence[Direction], *, name: str | None = None) -> Direction:
    """Make a direction orthogonal to others; see `conditional`.

    Args:
        direction: Direction to restrict.
        kept: Directions whose attributes should not change.
        name: Name of the direction in the error message; None for its own.

    Raises:
        UserError: Nothing is left of the direction.
    """
    rest = conditional(direction, kept)
    if rest.change().norm() <= NOTHING * direction.vector.norm():
        message = f"{name or direction.name}: nothing is left to change after removing what is kept, in these layers"
        raise UserError(message, arguments=("keep", "layers"))
    return rest


def wanted_strengths(strengths: Mapping[str, float], directions: Mapping[str, float]) -> dict[str, float]:
    """Merge the two ways to pass directions with strengths: a dict, and keyword arguments.

    Raises:
        TypeError: No direction is given, or a name is an option of `Model.invert`.
        ValueError: `strengths` is not a dict of names and numbers, or a strength is not finite.
    """
    if not isinstance(strengths, Mapping) or not all(isinstance(name, str) for name in strengths):
        raise ValueError(f"strengths must be a dict of directions and numbers, got {strengths!r:.100}")
    if options := sorted({field.name for field, _ in flat_fields(EmbedOptions())} & {*strengths, *directions}):
        name = options[0]
        raise TypeError(f"{name} is an option of invert: model.edit(model.invert(photo, {name}=...), smile=1)")
    total = added(strengths, directions)
    if not total:
        raise TypeError("name at least one direction, such as smile=1; latentloop.list_directions() has them")
    return total
