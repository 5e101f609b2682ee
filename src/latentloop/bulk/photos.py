"""Photos of a bulk job as plain values, and tables of them; processes that only list photos import no PyTorch."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from latentloop.bulk.ray_module import load_ray
from latentloop.errors import UserError, in_one_line
from latentloop.records.parquet import open_parquet
from latentloop.records.schema import load_arrow

if TYPE_CHECKING:
    import pyarrow
    from ray.data import Datasource

PHOTO_COLUMNS = {
    "path": "string",
    "file": "binary",
    "offset": "int64",
    "size": "int64",
    "group": "int32",
    "row": "int32",
    "column": "string",
}
"""Columns of a table of photos, the fields of `BulkPhoto`; file names are binary since they may contain any bytes."""


@dataclass(frozen=True)
class BulkPhoto:
    """A photo that is not read yet, as plain values that can be sent between processes."""

    path: str
    """Unique name of the photo: its absolute path, TAR:MEMBER, or TABLE:ROW, with unprintable characters escaped."""
    file: str
    """File that contains the photo."""
    offset: int = 0
    """Offset of its first byte in the file."""
    size: int | None = None
    """Size in bytes; None for the whole file."""
    group: int | None = None
    """Row group in a Parquet file; None for other files."""
    row: int = 0
    """Row within the group."""
    column: str = ""
    """Column of the images in a Parquet file."""

    def read(self) -> bytes:
        """Read the photo's bytes.

        Raises:
            UserError: The file cannot be read, or has changed since the photos were listed.
        """
        if self.group is None:
            from latentloop.photos.sources import PhotoSource  # imports PyTorch, which only reading workers need

            return PhotoSource(Path(self.file), offset=self.offset, size=self.size).read()
        images = _images_of(self.file, self.group, self.column)
        image = images[self.row].as_py() if self.row < len(images) else None
        if not isinstance(image, bytes):
            raise UserError(f"{self.path}: this row has no image")
        return image


def photos_in(table: "pyarrow.Table") -> list[BulkPhoto]:
    """Read the photos that a table lists."""
    return [BulkPhoto(**{**row, "file": os.fsdecode(row["file"])}) for row in table.to_pylist()]


def photo_table(photos: Iterable[BulkPhoto]) -> "pyarrow.Table":
    """List photos in a table."""
    arrow = load_arrow()
    schema = arrow.schema([(name, getattr(arrow, kind)()) for name, kind in PHOTO_COLUMNS.items()])
    rows = [{**asdict(photo), "file": os.fsencode(photo.file)} for photo in photos]
    return arrow.Table.from_pylist(rows, schema=schema)


def photo_source(photos: Sequence[BulkPhoto], rows: int) -> "Datasource":
    """Create the data source that lists photos for Ray, in blocks of `rows` photos."""
    load_ray()
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    class Photos(Datasource):
        """Lists photos, a block for each file of records."""

        def estimate_inmemory_data_size(self) -> int:
            return sum(len(photo.path) for photo in photos)

        def get_read_tasks(self, parallelism: int, *_: object, **__: object) -> list[ReadTask]:  # noqa: ARG002
            return [task(photos[i : i + rows]) for i in range(0, len(photos), rows)]

    def task(some: Sequence[BulkPhoto]) -> ReadTask:
        size = sum(len(photo.path) for photo in some)
        described = BlockMetadata(num_rows=len(some), size_bytes=size, input_files=None, exec_stats=None)
        return ReadTask(lambda: [photo_table(some)], described)

    return Photos()  # type: ignore[no-untyped-call]  # Ray types none of its constructors


@lru_cache(maxsize=1)  # a worker reads the rows of a group one after the other
def _images_of(file: str, group: int, column: str) -> "pyarrow.ChunkedArray":
    try:
        return open_parquet(file).read_row_group(group, columns=[column]).flatten().column(0)
    except (OSError, load_arrow().ArrowException) as error:
        raise UserError(f"{file}: cannot read it as a Parquet file: {in_one_line(error)}") from error
