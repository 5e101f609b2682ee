"""Bulk job from photos to a folder of records, which resumes where it stopped."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from latentloop.bulk.coder import load_photo_coder
from latentloop.bulk.dataset import READER, Stage, dataset_of
from latentloop.bulk.finished import drop_errors, finished_in, match_checkpoint, refuse_others
from latentloop.bulk.options import BulkOptions
from latentloop.bulk.photos import BulkPhoto
from latentloop.bulk.ray_engine import Workers, running_ray
from latentloop.bulk.ray_module import load_ray
from latentloop.bulk.sink import record_sink
from latentloop.bulk.sources import find_bulk_photos
from latentloop.bulk.tally import Tally
from latentloop.embedding import Components
from latentloop.errors import UserError
from latentloop.files import check_writable
from latentloop.folder_lock import sole_use
from latentloop.records.folder import CHECKPOINT, RecordFolder
from latentloop.records.naming import is_record_folder
from latentloop.records.schema import ERROR, OK, PICTURES, RECORDS, RecordRun, load_arrow

WORKERS_OF_A_WRITER = 16
"""Number of workers whose records one process writes."""
POLL = 0.5
"""Seconds between two progress reports."""


@dataclass(frozen=True)
class Progress:
    """Counts of a job that is under way."""

    photos: int
    """Number of photos done in this run."""
    faces: int
    """Number of faces with codes."""
    errors: int
    problems: Sequence[str]
    """First errors, each a line that begins with the photo's path."""


@dataclass(frozen=True)
class Summary:
    """Contents of a folder after a run, counted."""

    photos: int
    faces: int
    """Number of faces with codes."""
    errors: int
    """Number of records of errors: of whole photos, and of single faces."""


@dataclass(frozen=True)
class BulkRun:
    """Photos ready to be embedded into a folder of records."""

    photos: Sequence[BulkPhoto]
    out: Path
    options: BulkOptions
    run: RecordRun
    finished: int
    """Number of photos that have records already."""

    def work(self, on_progress: Callable[[Progress], None] = lambda _: None) -> Summary:
        """Embed the photos that have no records yet, and write theirs.

        Args:
            on_progress: Called from time to time, in another thread.

        Raises:
            UserError: The folder cannot be written to or is in use, or Ray does not start or fails.
        """
        folder = RecordFolder(self.out)
        with sole_use(self.out):
            refuse_others(self.out, self.run)
            match_checkpoint(self.out)
            if self._paths - finished_in(self.out):
                folder.begin(self.run)
                for part in (RECORDS, PICTURES) if self.options.pictures else (RECORDS,):
                    check_writable(self.out / part)
                with running_ray(self.options) as workers:
                    self._write(workers, on_progress)
            return summary_of(folder)

    @cached_property
    def _paths(self) -> frozenset[str]:
        return frozenset(photo.path for photo in self.photos)

    def _write(self, workers: Workers, on_progress: Callable[[Progress], None]) -> None:
        ray = load_ray()
        tally = ray.remote(Tally).options(num_cpus=0).remote()
        stage = Stage(self.options, self.run, tally)
        dataset = dataset_of(self.photos, stage, workers, self.out / CHECKPOINT)
        writers = max(1, workers.count // WORKERS_OF_A_WRITER)
        try:
            with _watched(tally, on_progress):
                dataset.write_datasink(record_sink(self.out, self.run), ray_remote_args=READER, concurrency=writers)
        except ray.exceptions.RayError as error:
            raise _said_by(error) from error


def bulk_files(
    photos: Sequence[str],
    out: Path,
    options: BulkOptions = BulkOptions(),
    *,
    components: Components | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> BulkRun:
    """Prepare to embed very many photos into a folder of records; photos that have records there are skipped.

    Args:
        photos: As for `find_bulk_photos`.
        out: Folder for the records.
        options: Settings of the job.
        components: Networks that are loaded already.
        warn: Called with a message about each file of photos that cannot be read.

    Raises:
        UserError: Nothing is named, a file cannot be used, or the folder is foreign or was made with other settings.
    """
    load_arrow()
    load_ray()
    found = find_bulk_photos(photos, warn=warn)
    coder = load_photo_coder(options, components)
    options, run = coder.options, coder.coder.run
    refuse_others(out, run)
    known = frozenset[str]()
    if is_record_folder(out):
        with sole_use(out):
            match_checkpoint(out)
            if options.retry_errors:
                drop_errors(out, frozenset(photo.path for photo in found))
            known = finished_in(out)
    return BulkRun(found, out, options, run, sum(photo.path in known for photo in found))


def summary_of(folder: RecordFolder) -> Summary:
    """Count the records in a folder."""
    photos = faces = errors = 0
    for table in folder.tables(("path", "status")):
        status = table["status"].to_pylist()
        photos += len(set(table["path"].to_pylist()))  # all rows of a photo are in one file
        faces += status.count(OK)
        errors += status.count(ERROR)
    return Summary(photos, faces, errors)


@contextmanager
def _watched(tally: Any, on_progress: Callable[[Progress], None]) -> Iterator[None]:  # noqa: ANN401 - an actor of Ray
    """Report progress regularly while the block runs, and once at its end."""
    ray, ended = load_ray(), threading.Event()

    def look() -> None:
        with suppress(ray.exceptions.RayError):  # progress is optional: the job continues without it
            on_progress(Progress(*ray.get(tally.counts.remote())))

    def watch() -> None:
        while not ended.wait(POLL):
            look()

    thread = threading.Thread(target=watch, name="bulk-progress", daemon=True)
    thread.start()
    try:
        yield
        look()
    finally:
        ended.set()
        thread.join()


def _said_by(error: Exception) -> UserError:
    """Summarize Ray's failure on one line, with a worker's own message if it is a `UserError`."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, UserError):
        return cause
    lines = [line for line in str(cause or error).splitlines() if line.strip()]
    return UserError(f"a worker failed: {lines[-1] if lines else type(error).__name__}; finished records are kept")
