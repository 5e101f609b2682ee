"""Journal of an embedding run, results.jsonl: one line of JSON per result, written as soon as it is done."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentloop.errors import UserError
from latentloop.files import replacing
from latentloop.json_files import decode_json

Record = Mapping[str, Any]
"""Outcome of a photo: an entry of "photos" or "failed" in results.json."""
BEGINNING = '{"file": "'
"""First characters of every line."""


@dataclass
class Journal:
    """A file with one line per result of a run; a kill leaves at most one broken line, the last.

    Lines that an earlier run wrote about photos of this run stay until the photo is done again, so a resumed run need
    not rewrite them. During the run the last line of a result counts; at the end each result has exactly one line.
    """

    path: Path
    photos: Sequence[Path]
    """Photos of the run, in order."""
    _lines: dict[tuple[str, str | None], str] = field(default_factory=dict)  # (file, name) -> the line that counts

    def begin(self) -> None:
        """Keep the whole lines of an earlier run that are about photos of this one.

        Raises:
            UserError: The file cannot be read or written.
        """
        known = {str(photo) for photo in self.photos}
        for line in self._read().splitlines():
            if (record := _record_in(line)) and record["file"] in known:
                self._lines[_key(record)] = line
        self._rewrite(self._lines.values())

    def add(self, record: Record) -> None:
        """Append the line of a result, unless the file has it.

        Raises:
            UserError: The file cannot be written.
        """
        line = json.dumps(record, allow_nan=False)
        if self._lines.get(_key(record)) == line:
            return
        self._lines[_key(record)] = line
        if not self.path.exists():
            self._rewrite([line])
            return
        try:
            with self.path.open("ab", buffering=0) as file:  # one write() per line: a kill cannot tear it
                file.write(f"{line}\n".encode())
        except OSError as error:
            raise UserError(f"{self.path}: cannot write here: {error.strerror or error}") from error

    def finish(self, records: Iterable[Record]) -> None:
        """Sort the file by the order of photos: this run's results, and earlier lines of photos that it did not reach.

        Args:
            records: All results of the run.

        Raises:
            UserError: The file cannot be written.
        """
        place = {str(photo): number for number, photo in enumerate(self.photos)}
        lines = {_key(record): json.dumps(record, allow_nan=False) for record in records}
        reached = {file for file, _ in lines}
        lines |= {key: line for key, line in self._lines.items() if key[0] not in reached}
        self._rewrite(lines[key] for key in sorted(lines, key=lambda key: place[key[0]]))

    def _read(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        except OSError as error:
            raise UserError(f"{self.path}: cannot read it: {error.strerror or error}") from error

    def _rewrite(self, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        if text == self._read():
            return
        if not text:  # an empty file cannot be recognized as ours by a later run
            self.path.unlink(missing_ok=True)
            return
        with replacing(self.path) as part:
            part.write_text(text, encoding="utf-8")


def is_journal(path: Path) -> bool:
    """Tell whether a file is a journal: its first line is a result, or the torn beginning of one."""
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline()
    return first.startswith(BEGINNING) and (_record_in(first) is not None or not first.endswith("\n"))


def _key(record: Record) -> tuple[str, str | None]:
    return record["file"], record.get("name")


def _record_in(line: str) -> Record | None:
    """Parse a line as a result; None for a broken line and for foreign content."""
    try:
        record = decode_json(line)
    except ValueError:
        return None
    names = record.keys() if isinstance(record, dict) else set()
    if not ({"file", "name", "metrics", "code"} <= names or names == {"file", "error"}):
        return None
    texts = [record["file"], record.get("name", "")]
    return record if all(isinstance(text, str) for text in texts) else None
