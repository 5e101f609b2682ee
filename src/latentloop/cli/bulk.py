"""The command `latentloop bulk`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.bulk.options import BulkOptions
from latentloop.cli.complaints import complain
from latentloop.cli.inputs import refuse_missing_photos
from latentloop.cli.options import UNTITLED, required


@dataclass(frozen=True)
class Bulk:
    """Find the codes of very many photos, as records in Parquet files.

    A record holds a face's position in its photo, its code, an identity embedding and the metrics of its
    reconstruction; a photo that cannot be used gets a record with the reason. Ray shares the work among processes, on
    this machine or on a cluster. Run the command again to resume a stopped run or to add photos: those that have
    records are skipped. Needs: pip install 'latentloop[bulk]'.

    A folder and its subfolders: latentloop bulk faces/ --out records

    WebDataset shards, and Parquet files with a column of images: latentloop bulk "shards/*.tar" images.parquet

    The paths in a text file, one per line: latentloop bulk list.txt

    Closer codes, by a few steps of the iterator: latentloop bulk faces/ --quality instant

    All faces of each photo, with reconstructions as pictures: latentloop bulk faces/ --face all --pictures

    One of the faces, edited: latentloop edit records/:anna.jpg --set smile=1

    On a cluster: latentloop bulk /shared/faces --out /shared/records --address auto
    """

    photos: Annotated[tuple[str, ...], tyro.conf.Positional, required("PHOTO...")]
    """Image files, folders, quoted globs, .tar and .parquet files, and .txt files with one path per line."""
    out: Path = Path("records")
    """Folder for the records, which are Parquet files."""
    options: Annotated[BulkOptions, UNTITLED] = BulkOptions()

    def __post_init__(self) -> None:
        if not self.photos:
            raise ValueError("name at least one photo, folder or glob")

    def run(self) -> int:
        """Embed the photos; a photo that fails is a record, not a failure of the command."""
        options = self.options
        refuse_missing_photos(self.photos, generators=[options.common.generator], embedders=[options.embedder])
        from latentloop.bulk import bulk_files
        from latentloop.cli.bulk_progress import BulkProgress, counted
        from latentloop.cli.console import say

        run = bulk_files(self.photos, self.out, options, warn=complain)
        if run.finished:
            say(f"{run.finished:,} of {counted(len(run.photos), 'photo')} have records already")
        with BulkProgress(len(run.photos) - run.finished) as progress:
            summary = run.work(progress.show)
        counts = [counted(summary.photos, "photo"), counted(summary.faces, "face"), counted(summary.errors, "error")]
        say(f"{self.out}: records of {counts[0]}: {counts[1]}, {counts[2]}")
        return 0
