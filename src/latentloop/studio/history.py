"""Edits of a face with undo and redo."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class EditState:
    """Values of the sliders and boxes."""

    strengths: Mapping[str, float] = field(default_factory=dict)
    """Strengths of the directions by name; zeros are left out."""
    keep: tuple[str, ...] = ()
    """Directions whose attributes should not change."""

    def without(self, names: Collection[str]) -> "EditState":
        """Return the state without some directions."""
        return EditState({name: one for name, one in self.strengths.items() if name not in names}, self.keep)


class History:
    """States of an edit in order, and the current one."""

    def __init__(self) -> None:
        self._states, self._at = [EditState()], 0

    @property
    def state(self) -> EditState:
        """Current state of the edit."""
        return self._states[self._at]

    @property
    def can_undo(self) -> bool:
        """True if there is an earlier state."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """True if a state was undone."""
        return self._at + 1 < len(self._states)

    def push(self, state: EditState) -> None:
        """Add a new state, and forget undone ones; a state equal to the current one is ignored."""
        if state != self.state:
            self._states[self._at + 1 :] = [state]
            self._at += 1

    def forget(self, names: Collection[str]) -> None:
        """Remove directions that are gone from all states."""
        self._states = [state.without(names) for state in self._states]

    def undo(self) -> EditState:
        """Return to the previous state, if there is one."""
        self._at = max(self._at - 1, 0)
        return self.state

    def redo(self) -> EditState:
        """Return to the state that was undone last, if there is one."""
        self._at = min(self._at + 1, len(self._states) - 1)
        return self.state
