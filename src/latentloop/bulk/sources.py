"""Photos of a bulk job: files in folders, members of tar shards, rows of Parquet files, paths in a text file."""

import codecs
import glob
import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from latentloop.bulk.photos import BulkPhoto
from latentloop.errors import UserError, printable
from latentloop.globs import files_matching
from latentloop.hub import refuse_photo_address
from latentloop.photos.braces import expand_braces
from latentloop.photos.sources import photos_in_tar
from latentloop.pixels import photo_suffixes
from latentloop.records.parquet import open_parquet
from latentloop.records.schema import load_arrow

LISTED, TAR, TABLE = ".txt", ".tar", ".parquet"
"""Suffixes of files that name, or contain, several photos."""
MOST_ROWS = 10**8
"""Largest number of rows that is read from a Parquet file; a few bytes can claim more."""


def find_bulk_photos(arguments: Iterable[str], *, warn: Callable[[str], None] = lambda _: None) -> list[BulkPhoto]:
    """List the photos that arguments name, each once, in order.

    Args:
        arguments: Photos; folders with their subfolders; globs; uncompressed tar files, such as shards of WebDataset;
            Parquet files with a column of encoded images; text files with one path per line.
        warn: Called with a message about each tar or Parquet file that cannot be read, or has no photos; the others are
            used.

    Raises:
        UserError: An argument is empty, or none names a photo.
    """
    found, places = dict[str, BulkPhoto](), set[str]()
    resolved = lru_cache(maxsize=1)(os.path.realpath)  # once per file: photos in one file follow each other
    for argument in (one for each in arguments for one in expand_braces(each)):
        if not argument:
            raise UserError("one of the photos has an empty name")
        refuse_photo_address(argument)
        photos = [photo for file in _files(argument) for photo in _photos_in(file, warn)]
        if not photos:
            warn(f"{argument}: no photos; known endings: {' '.join(sorted(_known()))}")
        for photo in photos:
            place = resolved(photo.file) + photo.path.removeprefix(printable(photo.file))
            if place not in places:
                places.add(place)
                found[photo.path] = photo
    if not found:
        raise UserError("none of the arguments names a photo")
    return list(found.values())


def _known() -> frozenset[str]:
    return photo_suffixes() | {TAR, TABLE, LISTED}


def _files(argument: str) -> Iterator[Path]:
    """Yield absolute paths of the files that an argument names; a missing file, too, which becomes an error record."""
    path = Path(argument)
    try:
        if path.is_dir():
            yield from _below(path.absolute())
        elif not path.exists() and glob.has_magic(argument):
            for one in sorted(files_matching(argument)):
                yield from _files(str(one))
        else:
            yield path.absolute()
    except OSError as error:
        raise UserError(f"{argument[:100]}: cannot be a photo: {error.strerror or error}") from error


def _below(folder: Path) -> Iterator[Path]:
    """Yield files with photos in a folder and its subfolders, sorted within each; hidden ones are skipped."""
    wanted = photo_suffixes() | {TAR, TABLE}
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(where, name) for name in sorted(names) if not name.startswith("."))
        yield from (path for path in paths if path.suffix.lower() in wanted)


def _photos_in(file: Path, warn: Callable[[str], None]) -> Iterable[BulkPhoto]:
    ending, name = file.suffix.lower(), str(file)
    try:
        if ending == TAR:
            return [BulkPhoto(printable(one.name), name, one.offset, one.size) for one in photos_in_tar(file)]
        if ending == TABLE:
            return list(_rows_of(name))
        if ending == LISTED:
            named = [one for line in _lines(file) for one in _files(line)]
            return [photo for one in named if one.suffix.lower() != LISTED for photo in _photos_in(one, warn)]
    except UserError as error:
        warn(str(error))
        return []
    return [BulkPhoto(printable(name), name)]


def _lines(file: Path) -> list[str]:
    try:
        text = os.fsdecode(file.read_bytes().removeprefix(codecs.BOM_UTF8))
    except OSError as error:
        raise UserError(f"{file}: cannot read it: {error.strerror or error}") from error
    return [line for line in (one.strip() for one in text.split("\n")) if line]


def _rows_of(file: str) -> Iterator[BulkPhoto]:
    """Yield the rows of a Parquet file; only its metadata is read."""
    table, first = open_parquet(file), 0
    column = _image_column(table.schema_arrow, file)
    sizes = [table.metadata.row_group(i).num_rows for i in range(table.num_row_groups)]
    if sum(sizes) > MOST_ROWS:
        raise UserError(f"{file}: {sum(sizes):,} rows; at most {MOST_ROWS:,} can be read from one file")
    for group, size in enumerate(sizes):
        for row in range(size):
            yield BulkPhoto(printable(f"{file}:{first + row}"), file, group=group, row=row, column=column)
        first += size


def _image_column(schema: Any, file: str) -> str:  # noqa: ANN401 - a schema of pyarrow
    """Find the column of encoded images: binary, or a struct with bytes, as Hugging Face writes it."""
    types = load_arrow().types
    found = []
    for field in schema:
        inner = field.type.field("bytes").type if _has_bytes(field.type) else field.type
        if types.is_binary(inner) or types.is_large_binary(inner):
            found.append(f"{field.name}.bytes" if _has_bytes(field.type) else field.name)
    if len(found) != 1:
        what = f"several columns of bytes ({', '.join(found)})" if found else "no column of bytes"
        raise UserError(f"{file}: {what}; a Parquet file of photos has one, with encoded images such as JPEGs")
    return found[0]


def _has_bytes(kind: Any) -> bool:  # noqa: ANN401 - a type of pyarrow
    return bool(load_arrow().types.is_struct(kind)) and kind.get_field_index("bytes") >= 0
