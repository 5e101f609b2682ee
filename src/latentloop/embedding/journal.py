"""The journal of a run of `embed`, results.jsonl: a line of JSON for each result, written as soon as it is there."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentloop.errors import UserError
from latentloop.files import replacing
from latentloop.json_files import decode_json

Record = Mapping[str, Any]
"""What became of a photo: an entry of "photos" or "failed" in results.json."""
BEGINNING = '{"file": "'
"""First characters of every line."""


@dataclass
class Journal:
    """A file with a line for each result of a run, in which a kill leaves no more than one broken line, the last one.

    What an earlier run wrote about photos of this one stays until it is known anew; so a run that goes on need not
    write again what is there. While it is at work, the last line of a result counts; at its end each has one line.
    """

    path: Path
    photos: Sequence[Path]
    """Photos of the run, in order."""
    _lines: dict[tuple[str, str | None], str] = field(default_factory=dict)  # (file, name) -> the line that counts

    def begin(self) -> None:
        """Keep those lines of an earlier run that are whole and about photos of this one.

        Raises:
            UserError: The file cannot be read or written.
        """
        known = {str(photo) for photo in self.photos}
        for line in self._read().splitlines():
            if (record := _record_in(line)) and record["file"] in known:
                self._lines[_key(record)] = line
        self._rewrite(self._lines.values())

    def add(self, record: Record) -> None:
        """Append the line of a result, unless it is there.

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
            with self.path.open("ab", buffering=0) as file:  # in one piece, so that a kill cannot tear it
                file.write(f"{line}\n".encode())
        except OSError as error:
            raise UserError(f"{self.path}: cannot write here: {error.strerror or error}") from error

    def finish(self, records: Iterable[Record]) -> None:
        """Bring the file in the photos' order: the results of this run, and what is known of photos it did not reach.

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
        if not text:  # an empty file would tell nobody whose it is
            self.path.unlink(missing_ok=True)
            return
        with replacing(self.path) as part:
            part.write_text(text, encoding="utf-8")


def is_journal(path: Path) -> bool:
    """Return whether a file is a journal: its first line tells of a result, or is a broken one of such a beginning."""
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline()
    return first.startswith(BEGINNING) and (_record_in(first) is not None or not first.endswith("\n"))


def _key(record: Record) -> tuple[str, str | None]:
    return record["file"], record.get("name")


def _record_in(line: str) -> Record | None:
    """What a line tells of a result; None for a broken line, and for what is no journal's."""
    try:
        record = decode_json(line)
    except ValueError:
        return None
    names = record.keys() if isinstance(record, dict) else set()
    if not ({"file", "name", "metrics", "code"} <= names or names == {"file", "error"}):
        return None
    texts = [record["file"], record.get("name", "")]
    return record if all(isinstance(text, str) for text in texts) else None
