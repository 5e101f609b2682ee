"""Log of a training run: one line of JSON for each time that it was saved."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentloop.errors import UserError
from latentloop.files import naming_unreadable, refuse_no_file, replacing
from latentloop.json_files import decode_json


@dataclass(frozen=True)
class RunLog:
    """A file with one JSON object per line: a `step` and its metrics."""

    path: Path
    """Path of the log file."""
    figures: tuple[str, ...] = ()
    """Names of metrics that each line must have."""

    def lines(self, step: int) -> list[dict[str, float]]:
        """Read the lines up to a step.

        Raises:
            UserError: The file is something else, or cannot be read.
        """
        try:
            with naming_unreadable(self.path):
                if self.path.exists():
                    refuse_no_file(self.path, what="a log")
                lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
            return [line for line in map(self._checked, lines) if line["step"] <= step]
        except (OSError, ValueError, LookupError, TypeError) as error:
            message = "not the log of such a run, or damaged; delete it to continue without it"
            raise UserError(f"{self.path}: {message}") from error

    def _checked(self, text: str) -> dict[str, float]:
        line: dict[str, float] = decode_json(text)
        if not all(isinstance(line[name], int | float) for name in ("step", "seconds", *self.figures)):
            raise TypeError("a metric that is not a number")
        return line

    def write(self, lines: Sequence[Mapping[str, float]]) -> None:
        """Replace all lines; the file appears whole or not at all.

        Raises:
            UserError: The file cannot be written.
        """
        with replacing(self.path) as part:
            part.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
