"""Counting the records of a bulk job as they are made."""

from collections import Counter
from collections.abc import Sequence

SHOWN = 20
"""Errors that are told at once; all are in the records."""


class Tally:
    """Counts rows of records as they are made; an actor of Ray."""

    def __init__(self) -> None:
        self._photos, self._faces, self._errors = 0, 0, list[str]()
        self._failed, self._begun = 0, Counter[str]()

    def add(self, rows: Sequence[tuple[str, int, str | None]]) -> None:
        """Count rows: path, number of the face, and error."""
        for _, face, error in rows:
            self._photos += face <= 1
            self._faces += face > 0
            if error is not None:
                self._failed += 1
                self._errors += [error] if len(self._errors) < SHOWN else []

    def deaths(self, paths: Sequence[str]) -> dict[str, int]:
        """Tell how often a worker began with each photo and did not end: it died."""
        return {path: self._begun[path] for path in paths}

    def begin(self, paths: Sequence[str]) -> None:
        """Note that a worker begins with photos."""
        self._begun.update(paths)

    def end(self, paths: Sequence[str]) -> None:
        """Note that it has ended with them."""
        self._begun.subtract(paths)
        self._begun = +self._begun  # keeps those above 0

    def counts(self) -> tuple[int, int, int, list[str]]:
        """Return the photos, the faces and the errors so far, and the first errors."""
        return self._photos, self._faces, self._failed, self._errors
