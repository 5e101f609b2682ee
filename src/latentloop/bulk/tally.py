"""Counter of the records of a bulk job."""

from collections import Counter
from collections.abc import Sequence

SHOWN = 20
"""Number of errors that are reported; all of them are in the records."""


class Tally:
    """Counts rows of records as they are made; a Ray actor."""

    def __init__(self) -> None:
        self._photos, self._faces, self._errors = 0, 0, list[str]()
        self._failed, self._begun = 0, Counter[str]()

    def add(self, rows: Sequence[tuple[str, int, str | None]]) -> None:
        """Count rows, given as path, number of the face, and error."""
        for _, face, error in rows:
            self._photos += face <= 1  # each photo has a row of face 1, with or without a code, or one of face 0
            self._faces += error is None
            if error is not None:
                self._failed += 1
                self._errors += [error] if len(self._errors) < SHOWN else []

    def deaths(self, paths: Sequence[str]) -> dict[str, int]:
        """Return how often workers began each photo without finishing: they died."""
        return {path: self._begun[path] for path in paths}

    def begin(self, paths: Sequence[str]) -> None:
        """Note that a worker begins photos."""
        self._begun.update(paths)

    def end(self, paths: Sequence[str]) -> None:
        """Note that a worker has finished photos."""
        self._begun.subtract(paths)
        self._begun = +self._begun  # keeps counts above 0

    def counts(self) -> tuple[int, int, int, list[str]]:
        """Return the numbers of photos, faces and errors so far, and the first errors."""
        return self._photos, self._faces, self._failed, self._errors
