"""Writing records: each block becomes a Parquet file, with a tar file of its pictures beside it."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentloop.bulk.ray_module import load_ray
from latentloop.errors import UserError, in_one_line
from latentloop.files import replacing
from latentloop.records.schema import CROP, PICTURES, RECONSTRUCTION, RECORDS, RecordRun, arrow_schema, load_arrow

if TYPE_CHECKING:
    import pyarrow
    from ray.data import Datasink

ENDINGS = {CROP: "crop.jpg", RECONSTRUCTION: "reconstruction.jpg"}
"""Suffixes of the pictures' names in a tar file, by column."""


def record_sink(folder: Path, run: RecordRun) -> "Datasink[None]":
    """Create the sink that writes blocks of records to a folder; a repeated block gets the same file name.

    Args:
        folder: Folder for the records, the same on all machines.
        run: Properties that all records share.
    """
    load_ray()
    from ray.data.datasource import BlockBasedFileDatasink

    class RecordSink(BlockBasedFileDatasink):
        """Writes a block; Ray's checkpoints know its files by their names."""

        def write_block(self, block: Any, block_index: int, ctx: Any) -> None:  # noqa: ANN401, ARG002 - Ray's
            name = self.filename_provider.get_filename_for_task(ctx.kwargs["write_uuid"], ctx.task_idx)
            write_records(block.to_arrow(), folder, Path(name).stem, run)

    return RecordSink(str(folder / RECORDS), file_format="parquet")


def write_records(table: "pyarrow.Table", folder: Path, name: str, run: RecordRun) -> None:
    """Write a table of records, after the pictures that it contains."""
    arrow, schema = load_arrow(), arrow_schema(run)
    if CROP in table.column_names:
        pictures = table.select(["key", "face", CROP, RECONSTRUCTION]).to_pylist()
        with replacing(folder / PICTURES / f"{name}.tar") as part:
            write_pictures(part, pictures)
    with replacing(folder / RECORDS / f"{name}.parquet") as part:
        arrow.parquet.write_table(table.select(schema.names).cast(schema), part, compression="zstd")


def write_pictures(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write pictures to a tar file in WebDataset's layout: KEY-FACE.crop.jpg and KEY-FACE.reconstruction.jpg."""
    # By name, since a photo may occur twice.
    _write_tar(path, {_name(row, column): row[column] for row in rows for column in ENDINGS if row[column] is not None})


def keep_pictures(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Delete the pictures in a tar file, which may be missing, of all but some rows.

    Raises:
        UserError: The file is damaged or cannot be written.
    """
    if not path.is_file():
        return
    kept = {_name(row, column) for row in rows for column in ENDINGS}
    try:
        with tarfile.open(path, "r:") as archive:
            if kept.issuperset(archive.getnames()):
                return
            files = [(one.name, archive.extractfile(one)) for one in archive if one.name in kept]
            pictures = {name: file.read() for name, file in files if file}
    except (tarfile.TarError, OSError) as error:
        raise UserError(f"{path}: damaged: {in_one_line(error)}") from error
    with replacing(path) as part:
        _write_tar(part, pictures)


def _name(row: Mapping[str, Any], column: str) -> str:
    return f"{row['key']}-{row['face']}.{ENDINGS[column]}"


def _write_tar(path: Path, contents: Mapping[str, bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
