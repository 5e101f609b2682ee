"""Folders of records: what made them, and their codes, read a file at a time."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from latentloop.errors import UserError, in_one_line
from latentloop.files import replacing
from latentloop.json_files import read_json
from latentloop.latents.code_file import Code
from latentloop.options import check_path
from latentloop.ownership import MARK, mark
from latentloop.records.naming import COMMAND, RUN
from latentloop.records.schema import METRICS, OK, RECORDS, RecordRun, load_arrow

if TYPE_CHECKING:
    import pyarrow

CHECKPOINT = "checkpoint"
"""Folder of what is finished."""
NAMING = ("path", "face", "faces", "status")
"""Columns that tell which faces there are."""
CODE_COLUMNS = (
    "path",
    "key",
    "face",
    "faces",
    "status",
    "width",
    "height",
    "quad",
    "code",
    "steps",
    "loss",
    *METRICS,
)
"""Columns that a code is made of."""


@dataclass(frozen=True)
class RecordFolder:
    """Records of a bulk job."""

    path: Path

    @cached_property
    def run(self) -> RecordRun:
        """What all records share.

        Raises:
            UserError: It is no such folder, or of a later version.
        """
        try:
            return RecordRun.from_json(dict(read_json(self.path / RUN)))
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise UserError(
                f"{self.path}: no folder of records that this latentloop reads ({in_one_line(error)})"
            ) from error

    @property
    def files(self) -> list[Path]:
        """The Parquet files, in order of their names."""
        return sorted((self.path / RECORDS).glob("*.parquet"))

    def tables(self, columns: Sequence[str] | None = None) -> "Iterator[pyarrow.Table]":
        """Yield the table of each file, with some columns or all.

        Raises:
            UserError: pyarrow is not installed, or a file is damaged.
        """
        for file in self.files:
            yield _read(file, columns)

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield the rows, with some columns or all; one file is in memory at a time.

        Raises:
            UserError: As `tables`.
        """
        for table in self.tables(columns):
            yield from table.to_pylist()

    def codes(self) -> Iterator[tuple[str, Code]]:
        """Yield each face's name and code: PATH, or PATH:FACE where a photo has several.

        Raises:
            UserError: As `tables`.
        """
        for table in self.tables(CODE_COLUMNS):
            yield from self._codes(table)

    def names(self) -> Iterator[str]:
        """Yield the names of the faces that have codes, as `codes` does.

        Raises:
            UserError: As `tables`.
        """
        for row in self.rows(NAMING):
            if row["status"] == OK:
                yield name_of(row)

    def code(self, name: str) -> Code:
        """Find the code of a face by its name, or by the end of its path, such as "anna.jpg" or "anna.jpg:2".

        Raises:
            UserError: There is none, or there are several.
        """
        found = [
            (own, row["status"], file)
            for file in self.files
            for row in _read(file, NAMING).to_pylist()
            if _matches(own := name_of(row), name)
        ]
        if not found:
            raise UserError(f"{self.path}: has no photo {name}")
        if len(found) > 1:
            some = ", ".join(own for own, _, _ in found[:3])
            raise UserError(f"{self.path}: has several photos {name}: {some} ...; give more of the path")
        own, status, file = found[0]
        if status != OK:
            raise UserError(f"{own}: has no code; its record tells why")
        return dict(self._codes(_read(file, CODE_COLUMNS)))[own]

    def begin(self, run: RecordRun) -> None:
        """Write what the records share."""
        content = {MARK: mark(COMMAND), **run.as_json()}
        with replacing(self.path / RUN) as part:
            part.write_text(json.dumps(content, indent=1), encoding="utf-8")

    def _codes(self, table: "pyarrow.Table") -> Iterator[tuple[str, Code]]:
        embedded = table.filter(load_arrow().compute.equal(table["status"], OK))
        codes = embedded["code"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        shape = (len(embedded), self.run.num_ws, self.run.w_dim)
        w_plus = torch.from_numpy(codes.astype(np.float32)).reshape(shape)
        for row, code in zip(embedded.drop_columns(["code"]).to_pylist(), w_plus, strict=True):
            yield name_of(row), self._code(row, code)

    def _code(self, row: dict[str, Any], w_plus: Tensor) -> Code:
        run, loss = self.run, row["loss"]
        return Code(
            w_plus=w_plus,
            space="w+",
            generator=run.generator,
            fingerprint=run.fingerprint,
            quad=torch.tensor(row["quad"], dtype=torch.float64).reshape(4, 2),
            original_size=(row["width"], row["height"]),
            losses=torch.zeros(0) if loss is None else torch.tensor([loss]),
            steps=0,
            details={
                "photo": {"file": Path(row["path"]).name, "sha256": row["key"], "faces": None},
                "settings": dict(run.settings),
                "metrics": {name: row[name] for name in METRICS if row[name] is not None},
            },
        )


def open_records(path: Path | str) -> RecordFolder:
    """Open a folder of records, as `latentloop bulk` writes it.

    Raises:
        UserError: It is none, or of a later version.
        ValueError: `path` is no path.
    """
    check_path(path)
    folder = RecordFolder(Path(path))
    _ = folder.run
    return folder


def name_of(row: dict[str, Any]) -> str:
    """Name a face: the photo's path, and behind it the number of the face where there are several."""
    return f"{row['path']}:{row['face']}" if row["faces"] > 1 else str(row["path"])


def _matches(own: str, name: str) -> bool:
    return own == name or own.endswith((f"/{name}", f":{name}"))


def _read(file: Path, columns: Sequence[str] | None) -> "pyarrow.Table":
    arrow = load_arrow()
    try:
        return arrow.parquet.read_table(file, columns=list(columns) if columns else None)
    except (OSError, arrow.ArrowException) as error:
        raise UserError(f"{file}: damaged: {in_one_line(error)}") from error
