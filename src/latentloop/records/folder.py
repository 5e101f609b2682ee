"""Reading folders of records, one file at a time."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePath
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
from latentloop.records.naming import COMMAND, RUN, name_of
from latentloop.records.parquet import open_parquet
from latentloop.records.schema import METRICS, OK, RECORDS, RecordRun, arrow_schema, load_arrow

if TYPE_CHECKING:
    import pyarrow

CHECKPOINT = "checkpoint"
"""Subfolder that records which photos are finished."""
NAMING = ("path", "face", "faces", "status")
"""Columns that identify a face."""
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
    "loss",
    *METRICS,
)
"""Columns from which a `Code` is built."""


@dataclass(frozen=True)
class RecordFolder:
    """A folder of records of a bulk job."""

    path: Path
    """Path of the folder."""

    @cached_property
    def run(self) -> RecordRun:
        """The properties that all records share.

        Raises:
            UserError: The folder holds no records, or those of a later version.
        """
        try:
            return RecordRun.from_json(dict(read_json(self.path / RUN)))
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise UserError(f"{self.path}: not a folder of records of this version ({in_one_line(error)})") from error

    @property
    def files(self) -> list[Path]:
        """The Parquet files of the records, sorted by name."""
        return sorted((self.path / RECORDS).glob("*.parquet"))

    def tables(self, columns: Sequence[str] | None = None) -> "Iterator[pyarrow.Table]":
        """Yield the table of each file, with the given columns or all.

        Raises:
            UserError: pyarrow is not installed, or a file is damaged.
        """
        for file in self.files:
            yield self._read(file, columns)

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield all rows, with the given columns or all; one file is in memory at a time.

        Raises:
            UserError: pyarrow is not installed, or a file is damaged.
        """
        for table in self.tables(columns):
            yield from table.to_pylist()

    def codes(self) -> Iterator[tuple[str, Code]]:
        """Yield each face's name and code; names are PATH, or PATH:FACE for a photo with several faces.

        Raises:
            UserError: pyarrow is not installed, or a file is damaged.
        """
        for table in self.tables(CODE_COLUMNS):
            yield from self._codes(table)

    def names(self) -> Iterator[str]:
        """Yield the names of the faces that have codes, as in `codes`.

        Raises:
            UserError: pyarrow is not installed, or a file is damaged.
        """
        for row in self.rows(NAMING):
            if row["status"] == OK:
                yield name_of(row)

    def code(self, name: str) -> Code:
        """Return the code of a face by its name, or by the end of its path, such as "anna.jpg" or "anna.jpg:2".

        Raises:
            UserError: No face matches, or several do.
        """
        found = [name] if name in self._faces else [own for own in self._faces if _ends_with(own, name)]
        if not found:
            raise UserError(f"{self.path}: has no photo {name}")
        if len(found) > 1:
            some = ", ".join(found[:3])
            raise UserError(f"{self.path}: has several photos {name}: {some} ...; give more of the path")
        (own,) = found
        code = _codes_in_file(self, self._faces[own]).get(own)
        if code is None:
            raise UserError(f"{own}: has no code; see the error in its record")
        return code

    @cached_property
    def _faces(self) -> dict[str, Path]:
        """File of each record, by its name."""
        return {name_of(row): file for file in self.files for row in self._read(file, NAMING).to_pylist()}

    def _read(self, file: Path, columns: Sequence[str] | None) -> "pyarrow.Table":
        """Read a file of records after checking the types of its columns."""
        arrow, opened, wanted = load_arrow(), open_parquet(file), arrow_schema(self.run)
        names = list(columns) if columns else wanted.names
        found = {field.name: field.type for field in opened.schema_arrow}
        if odd := next((name for name in names if found.get(name) != wanted.field(name).type), None):
            raise UserError(f"{file}: damaged: its column {odd} is missing or has another type")
        try:
            return opened.read(columns=names)
        except (OSError, arrow.ArrowException) as error:
            raise UserError(f"{file}: damaged: {in_one_line(error)}") from error

    def begin(self, run: RecordRun) -> None:
        """Write the file with the properties that all records share."""
        content = {MARK: mark(COMMAND), **run.as_json()}
        with replacing(self.path / RUN) as part:
            part.write_text(json.dumps(content, indent=1), encoding="utf-8")

    def _codes(self, table: "pyarrow.Table") -> Iterator[tuple[str, Code]]:
        rows, codes = embedded(table, "code")
        w_plus = codes.unflatten(1, (self.run.num_ws, self.run.w_dim))
        for row, code in zip(rows.drop_columns(["code"]).to_pylist(), w_plus, strict=True):
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
            steps=0,  # index of the code's loss in `losses`, of which records keep only one
            details={
                "photo": {
                    "file": PurePath(row["path"]).name,
                    "sha256": row["key"],
                    "face": row["face"],
                    "faces": row["faces"] if row["faces"] > 1 else None,
                },
                "settings": dict(run.settings),
                "metrics": {name: row[name] for name in METRICS if row[name] is not None},
            },
        )


def open_records(path: Path | str) -> RecordFolder:
    """Open a folder of records that `latentloop bulk` wrote.

    Raises:
        UserError: The folder holds no records, or those of a later version.
        ValueError: `path` is not a path.
    """
    check_path(path)
    folder = RecordFolder(Path(path))
    _ = folder.run
    return folder


def embedded(table: "pyarrow.Table", column: str) -> "tuple[pyarrow.Table, Tensor]":
    """Select the rows of faces that have a vector in a column; returns them with the vectors, (N, size) in float32."""
    compute = load_arrow().compute
    rows = table.filter(compute.and_(compute.equal(table["status"], OK), compute.is_valid(table[column])))
    values = rows[column].combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    return rows, torch.from_numpy(values).reshape(len(rows), rows.schema.field(column).type.list_size)


def _ends_with(own: str, name: str) -> bool:
    """Whether a name ends with another one that begins at a folder, a file or a member of an archive."""
    return not name.isdecimal() and own.endswith(tuple(f"{before}{name}" for before in "/\\:"))


@lru_cache(maxsize=1)  # editing all faces asks for those of one file after another
def _codes_in_file(folder: RecordFolder, file: Path) -> dict[str, Code]:
    return dict(folder._codes(folder._read(file, CODE_COLUMNS)))
