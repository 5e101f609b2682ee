"""Writing records: each block becomes a Parquet file, with a tar file of its pictures beside it."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentloop.bulk.ray_module import load_ray
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
    named = set[str]()
    with tarfile.open(path, "w") as archive:
        for row in rows:
            for column, ending in ENDINGS.items():
                name = f"{row['key']}-{row['face']}.{ending}"
                if (content := row[column]) is not None and name not in named:  # a photo may occur twice
                    named.add(name)
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
