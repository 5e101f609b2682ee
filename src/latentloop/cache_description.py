"""Description of a cache file, which is checked throughout: the file may come from anywhere."""

import math
import sqlite3
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentloop.errors import NotFiniteError, UserError, shown
from latentloop.json_files import decode_json

BUSY_SECONDS = 60
"""Longest time that a process waits for others to finish writing, in seconds."""
MAX_VALUE = 1 << 20
"""Largest value in a cache file, in bytes: ten times the largest code."""
MAX_ENTRIES = 20
"""Largest number of entries of a cache's description."""
MAX_SIDE = 1 << 16
"""Largest number of styles of a code, and largest length of a style."""
SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE best (photo BLOB PRIMARY KEY, loss REAL NOT NULL, step INTEGER NOT NULL, code BLOB NOT NULL);
"""
"""SQL that creates the tables of a new cache."""


@dataclass(frozen=True)
class CodeFormat:
    """The format in which a cache file stores codes: shape and type."""

    num_ws: int
    """Number of style vectors in a code."""
    w_dim: int
    """Length of a style vector."""
    dtype: np.dtype[Any]
    """Type of the numbers, float16 or float32."""

    def stored(self, w_plus: Tensor) -> npt.NDArray[np.floating[Any]]:
        """Convert codes (N, num_ws, w_dim) to the type that is stored.

        Raises:
            ValueError: The codes have another shape.
            NotFiniteError: A number is not finite in that type.
        """
        if w_plus.shape[1:] != (self.num_ws, self.w_dim):
            wanted = (self.num_ws, self.w_dim)
            raise ValueError(f"codes must be (N, num_ws, w_dim) with {wanted}, got {tuple(w_plus.shape)}")
        with np.errstate(over="ignore"):
            codes = w_plus.detach().cpu().numpy().astype(self.dtype)
        if not np.isfinite(codes).all():
            raise NotFiniteError(f"a code is not finite in {self.dtype}")
        return codes

    def decoded(self, code: npt.NDArray[np.floating[Any]]) -> Tensor:
        """Convert a stored code, of any shape, to (num_ws, w_dim) in float32."""
        return torch.from_numpy(code.astype(np.float32)).view(self.num_ws, self.w_dim)


def read_description(path: Path, connection: sqlite3.Connection) -> dict[str, Any]:
    """Read the description of a cache file, and check the types of its entries.

    Raises:
        UserError: The file is not a cache, or its description is damaged.
        ValueError: An entry is not JSON.
    """
    check_schema(path, connection)
    rows = connection.execute("SELECT name, value FROM about LIMIT ?", (MAX_ENTRIES,)).fetchall()
    if not all(isinstance(entry, str) for row in rows for entry in row):
        raise UserError(f"{path}: not a cache of codes, or damaged: a description that is no text")
    found = {name: decode_json(value) for name, value in rows}
    shape, texts = found.get("shape"), (found.get("fingerprint"), found.get("dtype"))
    sides = shape if isinstance(shape, list) and len(shape) == 2 else [None]
    if not all(type(side) is int and 0 < side <= MAX_SIDE for side in sides):
        raise UserError(f"{path}: not a cache of codes, or damaged: codes of shape {shown(shape)}")
    if not all(isinstance(text, str) for text in texts) or not isinstance(found.get("loss"), dict):
        raise UserError(f"{path}: not a cache of codes, or damaged: an odd description")
    return found


def check_schema(path: Path, connection: sqlite3.Connection) -> None:
    """Check that a file has exactly the tables of a cache: a view or a trigger could run forever.

    Raises:
        UserError: The file has other tables, views or triggers.
    """
    ours = sorted(statement.strip() for statement in SCHEMA.split(";") if statement.strip())
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL LIMIT ?", (len(ours) + 1,))
    if sorted(str(sql) for (sql,) in rows) != ours:
        raise UserError(f"{path}: not a cache of codes; choose another file")


def checked_loss(path: Path, value: object) -> float:
    """Check that a loss of a cache file is a finite number; SQLite does not enforce the types of columns.

    Raises:
        UserError: The loss is not a finite number.
    """
    if not isinstance(value, float) or not math.isfinite(value):
        raise UserError(f"{path}: damaged: a loss of {shown(value)}")
    return value


def checksum_of(photo: bytes, code: bytes, loss: float, step: int) -> bytes:
    """Compute the CRC-32 of a row of a cache file: the four bytes that follow its code."""
    numbers = struct.pack("<dq", loss, step)
    return zlib.crc32(b"".join((photo, code, numbers))).to_bytes(4, "little")


def refuse_strangers(path: Path) -> None:
    """Check, without writing, that an existing file is a cache or empty.

    Raises:
        UserError: The file is something else.
    """
    if not path.exists() or not path.stat().st_size:
        return
    with closing(open_read_only(path)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            check_schema(path, connection)


def execute_patiently(connection: sqlite3.Connection, statement: str) -> None:
    """Execute a statement, and retry while the database is busy, also where SQLite itself does not wait.

    SQLite fails at once when two processes switch a file to a write-ahead log at the same time.

    Raises:
        sqlite3.OperationalError: The database is busy for longer than `BUSY_SECONDS`, or the statement fails.
    """
    last = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > last:
                raise
        time.sleep(0.01)


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the entries in which two descriptions differ: name, found value and wanted value."""
    old, new = ({**about, **about.get("loss", {})} for about in (found, wanted))
    for name in sorted((old.keys() | new.keys()) - {"dtype", "loss"}):
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a cache file for reading.

    If its folder is not writable, SQLite cannot coordinate with a writing process; the file is then read as it is.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = _opened(uri)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        refused = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        if not refused or path.with_name(f"{path.name}-wal").exists():
            raise
        connection = _opened(f"{uri}&immutable=1")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _opened(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
    return connection
