"""A cache of the best known code of each photo, in a file that processes share (Guan et al., arXiv:2007.01758).

It is an SQLite database, which stays intact when a process is killed, and takes no memory that grows with its size.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from latentloop.cache_description import (
    BUSY_SECONDS,
    MAX_VALUE,
    SCHEMA,
    CodeFormat,
    checked_loss,
    checksum_of,
    differences,
    execute_patiently,
    open_read_only,
    read_description,
    refuse_strangers,
)
from latentloop.errors import NotFiniteError, UserError, in_one_line, shown
from latentloop.files import refuse_no_file

FORMAT = 1
"""Version of the cache file's format."""
UPDATE = """
INSERT INTO best (photo, loss, step, code) VALUES (?, ?, ?, ?) ON CONFLICT (photo) DO UPDATE
SET loss = excluded.loss, step = excluded.step, code = excluded.code WHERE excluded.loss < best.loss
"""
"""SQL that stores a code unless the cache has one of lower or equal loss; a single statement, hence atomic."""


@dataclass(frozen=True)
class CachedCode:
    """The best known code of a photo, with its loss and the training step that produced it."""

    w_plus: Tensor
    """Code, (num_ws, w_dim), float32, rounded to the cache's type."""
    loss: float
    """Loss of the code, by which codes of a cache are compared."""
    step: int
    """Training step that produced the code."""


@dataclass(frozen=True)
class CodeSpace:
    """Properties that all codes and losses of a cache share, so that they are comparable."""

    fingerprint: str
    """Fingerprint of the generator's latent space."""
    num_ws: int
    """Number of style vectors in a code."""
    w_dim: int
    """Length of a style vector."""
    loss: Mapping[str, Any]
    """Everything that a loss depends on: its weights and network, the checksum of the generator, the resolution."""


class CodeCache:
    """The best known codes of photos, by a hash of each photo's content.

    Every update is one transaction that keeps the lower loss, so processes never overwrite a better code. A crash of
    the machine may lose the last few updates, but never the file.
    """

    def __init__(
        self,
        path: Path,
        space: CodeSpace,
        *,
        dtype: Literal["float16", "float32"] = "float16",
        read_only: bool = False,
    ) -> None:
        """Open a cache, or create an empty one.

        Args:
            path: File of the cache; SQLite keeps PATH-wal and PATH-shm beside it while it is open.
            space: Properties that its codes share.
            dtype: Type of the codes in a new file; float16 is exact to a few 1e-4 in units of W. An existing file keeps
                its type.
            read_only: Write nothing, neither to the file nor beside it, so that its folder need not be writable. The
                file must exist.

        Raises:
            UserError: The file cannot be written, is not a cache, or holds codes of another space.
        """
        self.path, self.space, self.read_only = path, space, read_only
        self._connections: dict[tuple[int, int], sqlite3.Connection] = {}
        about = {"format": FORMAT, "dtype": dtype, **_describe(space)}
        with _explained(path):
            if not read_only:
                self._begin(about)
            found = read_description(path, self._connect())
        self._check(found, about)
        self.dtype = np.dtype(found["dtype"])
        self._format = CodeFormat(space.num_ws, space.w_dim, self.dtype)

    def _begin(self, about: Mapping[str, Any]) -> None:
        """Create the tables of a new file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        refuse_strangers(self.path)
        with self._transaction() as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                for statement in SCHEMA.split(";"):
                    connection.execute(statement)
                rows = [(name, json.dumps(value, sort_keys=True)) for name, value in about.items()]
                connection.executemany("INSERT INTO about VALUES (?, ?)", rows)

    def lookup(self, photos: Sequence[bytes]) -> list[CachedCode | None]:
        """Look up the best known code of each photo by its hash; None for photos without one."""
        select = "SELECT photo, code, loss, step FROM best WHERE photo = ?"
        with _explained(self.path):
            rows = [self._connect().execute(select, (photo,)).fetchone() for photo in photos]
        return [row and self._cached(*row) for row in rows]

    def _cached(self, photo: object, content: object, loss: object, step: object) -> CachedCode:
        """The code in a row of the file; SQLite does not enforce the types of columns, so they are checked."""
        size = self.space.num_ws * self.space.w_dim * self.dtype.itemsize
        if not isinstance(content, bytes) or not isinstance(photo, bytes) or not isinstance(step, int):
            raise UserError(f"{self.path}: damaged: a code of another type, or a step that is not a number")
        code, found = content[:size], content[size:]
        # Rows written before version 0.2 have no checksum.
        if len(code) != size or found not in (b"", checksum_of(photo, code, checked_loss(self.path, loss), step)):
            raise UserError(f"{self.path}: damaged: a code does not match its checksum; make the cache again")
        w_plus = self.decoded(np.frombuffer(code, self.dtype))
        if not w_plus.isfinite().all():
            raise UserError(f"{self.path}: damaged: a code that is not finite")
        return CachedCode(w_plus, checked_loss(self.path, loss), step)

    def update(self, photos: Sequence[bytes], w_plus: Tensor, loss: Tensor, *, step: int) -> list[bool]:
        """Store each code whose loss is lower than that of the photo's code in the cache.

        Args:
            photos: Hashes of the photos' content.
            w_plus: Codes, (N, num_ws, w_dim).
            loss: Loss of each code, (N,).
            step: Training step that found the codes.

        Returns:
            For each code, whether it was stored.

        Raises:
            ValueError: The numbers of photos, codes and losses differ.
            NotFiniteError: A loss is not finite, or a code is not finite in the file's type.
            UserError: The file cannot be written; it is then unchanged.
        """
        if not len(photos) == len(w_plus) == len(loss):
            shapes = f"codes {tuple(w_plus.shape)} and losses {tuple(loss.shape)}"
            raise ValueError(f"photos, codes and losses must be equally many, got {len(photos)} photos, {shapes}")
        codes = self.stored(w_plus)
        if not loss.isfinite().all():
            raise NotFiniteError("a loss is not finite")
        rows = zip(photos, loss.tolist(), codes, strict=True)
        with _explained(self.path), self._transaction() as connection:
            return [
                connection.execute(UPDATE, (photo, value, step, _content(photo, code, value, step))).rowcount > 0
                for photo, value, code in rows
            ]

    def __len__(self) -> int:
        """Return the number of photos that have a code."""
        with _explained(self.path):
            return int(self._connect().execute("SELECT count(*) FROM best").fetchone()[0])

    def photos(self) -> Iterator[bytes]:
        """Iterate over the hashes of the photos that have a code, in order."""
        with _explained(self.path):
            for (photo,) in self._connect().execute("SELECT photo FROM best ORDER BY photo"):
                if not isinstance(photo, bytes):
                    raise UserError(f"{self.path}: damaged: a photo whose hash is not bytes")
                yield photo

    def losses(self) -> Iterator[float]:
        """Iterate over the losses of all codes, in no particular order."""
        with _explained(self.path):
            for (loss,) in self._connect().execute("SELECT loss FROM best"):
                yield checked_loss(self.path, loss)

    def stored(self, w_plus: Tensor) -> npt.NDArray[np.floating[Any]]:
        """Convert codes (N, num_ws, w_dim) to the type that the file stores, see `CodeFormat.stored`."""
        return self._format.stored(w_plus)

    def close(self) -> None:
        """Close this thread's connection; the next use opens it again."""
        if connection := self._connections.pop(_here(), None):
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        """This thread's connection. One inherited through a fork is neither used nor closed: both would do harm."""
        # SQLite forbids to use a connection after fork(), or even to close it.
        if _here() not in self._connections:
            if self.read_only:
                self._connections[_here()] = open_read_only(self.path)
                return self._connections[_here()]
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
            # With a write-ahead log, readers and a writer do not block each other.
            for setting in ("journal_mode = WAL", "synchronous = NORMAL"):
                execute_patiently(connection, f"PRAGMA {setting}")
            self._connections[_here()] = connection
        return self._connections[_here()]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connect()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            if connection.in_transaction:  # a full disk ends the transaction by itself
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def decoded(self, code: npt.NDArray[np.floating[Any]]) -> Tensor:
        """Convert a stored code, of any shape, to (num_ws, w_dim) in float32.

        Raises:
            UserError: The code has another number of elements.
        """
        if code.size != self.space.num_ws * self.space.w_dim:
            raise UserError(f"{self.path}: not a cache of codes, or damaged: a code of {code.size} numbers")
        return self._format.decoded(code)

    def _check(self, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        if found.get("dtype") not in ("float16", "float32"):
            raise UserError(f"{self.path}: not a cache of codes, or damaged: of type {shown(found.get('dtype'))}")
        for name, theirs, ours in differences(found, wanted):
            raise UserError(f"{self.path}: a cache with {name} {theirs!s:.100}, not {ours!s:.100}; choose another file")


def _content(photo: bytes, code: npt.NDArray[np.floating[Any]], loss: float, step: int) -> bytes:
    """Content of a row's column `code`: the numbers, and the checksum of the row."""
    numbers = code.tobytes()
    return numbers + checksum_of(photo, numbers, loss, step)


def space_of(path: Path) -> CodeSpace:
    """Read the properties that the codes of a cache file share.

    Raises:
        UserError: The file is missing, or not a cache.
    """
    if not path.exists():
        raise UserError(f"{path}: no such cache of codes")
    refuse_no_file(path, what="a cache of codes")
    with _explained(path), closing(open_read_only(path)) as connection:
        found = read_description(path, connection)
    num_ws, w_dim = found["shape"]
    return CodeSpace(found["fingerprint"], num_ws, w_dim, found["loss"])


def _here() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def _describe(space: CodeSpace) -> dict[str, Any]:
    shape = [space.num_ws, space.w_dim]
    return {"fingerprint": space.fingerprint, "shape": shape, "loss": json.loads(json.dumps(dict(space.loss)))}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise UserError(f"{path}: cannot use this cache: {error}") from error
    except (sqlite3.DatabaseError, ValueError, TypeError) as error:
        raise UserError(f"{path}: not a cache of codes, or damaged: {in_one_line(error)}") from error
