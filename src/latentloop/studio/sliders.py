"""Sliders of the directions: their groups, and the meaning of their values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latentloop.editing import Direction
from latentloop.photo_editing.direction_list import info_of
from latentloop.studio.history import EditState
from latentloop.studio.session import Session

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Expression": ("smile", "surprise", "anger", "sadness", "eyes_open"),
    "Pose": ("yaw", "pitch"),
    "Age and looks": ("age", "gender", "glasses", "face_width", "face_height"),
}
"""Groups of the bundled directions; other directions follow."""
OTHERS = "More"
"""Heading of directions that are in no group."""
OWN = 16
"""Largest number of the user's own directions with sliders."""
FARTHEST, STEP = 3.0, 0.1
"""Largest strength of a slider, beyond which faces fall apart, and its step."""


@dataclass(frozen=True)
class SliderSpec:
    """Properties of a bundled direction's slider."""

    name: str
    """Name of the direction."""
    label: str
    effect: str
    """Effect of positive strengths."""


def grouped(directions: Mapping[str, Direction]) -> dict[str, list[SliderSpec]]:
    """Sort directions into the groups of the page; empty groups are left out."""
    known = [name for names in GROUPS.values() for name in names]
    groups = {**GROUPS, OTHERS: tuple(name for name in directions if name not in known)}
    return {
        group: [_spec(directions[name]) for name in names if name in directions]
        for group, names in groups.items()
        if any(name in directions for name in names)
    }


def state_of(session: Session, bundled: Sequence[str], values: Sequence[object]) -> EditState:
    """Read the state of the sliders and boxes.

    Args:
        session: Session, whose own directions have the last sliders.
        bundled: Names of the bundled directions, in the order of their sliders.
        values: Value of each slider, the user's own last, and then the names to keep.
    """
    *numbers, keep = values
    names = [*bundled, *session.directions]
    strengths = {
        name: round(float(number), 3)
        for name, number in zip(names, numbers, strict=False)
        if isinstance(number, int | float) and number
    }
    kept = [name for name in keep if name in bundled] if isinstance(keep, list) else []
    return EditState(strengths, tuple(name for name in kept if name not in strengths))


def values_of(session: Session, bundled: Sequence[str], state: EditState) -> list[float]:
    """Return the values of all sliders for a state, the user's own last."""
    own = list(session.directions)
    own += [""] * (OWN - len(own))
    return [state.strengths.get(name, 0.0) for name in (*bundled, *own)]


def _spec(direction: Direction) -> SliderSpec:
    effect = info_of(direction).positive
    return SliderSpec(direction.name, direction.name.replace("_", " "), "" if effect == "-" else effect)
