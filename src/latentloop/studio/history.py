"""Edits of a face as a person makes them, with undo and redo."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class EditState:
    """What the sliders and boxes say."""

    strengths: Mapping[str, float] = field(default_factory=dict)
    """Strengths of the directions that change something, by name; none of them is 0."""
    keep: tuple[str, ...] = ()
    """Directions whose attributes should not change."""


class History:
    """The states of an edit, in order, and the one that is shown."""

    def __init__(self) -> None:
        self._states, self._at = [EditState()], 0

    @property
    def state(self) -> EditState:
        """The state that is shown."""
        return self._states[self._at]

    @property
    def can_undo(self) -> bool:
        """Return whether there is an earlier state."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Return whether a state was undone."""
        return self._at + 1 < len(self._states)

    def push(self, state: EditState) -> None:
        """Go on to a new state; what was undone is forgotten. The state that is shown already is not repeated."""
        if state != self.state:
            self._states[self._at + 1 :] = [state]
            self._at += 1

    def undo(self) -> EditState:
        """Go back to the state before, if there is one."""
        self._at = max(self._at - 1, 0)
        return self.state

    def redo(self) -> EditState:
        """Go on to the state that was undone last, if there is one."""
        self._at = min(self._at + 1, len(self._states) - 1)
        return self.state
