"""A bulk job from photos to a folder of records, which goes on where it was stopped."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentloop.bulk.coder import load_photo_coder
from latentloop.bulk.dataset import READER, Stage, dataset_of
from latentloop.bulk.options import BulkOptions
from latentloop.bulk.photos import BulkPhoto
from latentloop.bulk.ray_engine import Workers, running_ray
from latentloop.bulk.ray_module import load_ray
from latentloop.bulk.sink import record_sink
from latentloop.bulk.sources import find_bulk_photos
from latentloop.bulk.tally import Tally
from latentloop.embedding import Components
from latentloop.errors import UserError
from latentloop.files import remove_leftovers, replacing
from latentloop.folder_lock import sole_use
from latentloop.records.folder import CHECKPOINT, RecordFolder
from latentloop.records.naming import RUN, is_record_folder
from latentloop.records.schema import ERROR, PICTURES, RECORDS, RecordRun, load_arrow
from latentloop.stamps import differences

WORKERS_OF_A_WRITER = 16
"""Workers whose records one process writes."""
POLL = 0.5
"""Seconds between two looks at what is done."""


@dataclass(frozen=True)
class Progress:
    """How far a job is."""

    photos: int
    """Photos done in this run."""
    faces: int
    errors: int
    problems: Sequence[str]
    """The first errors, each a line that begins with the photo's path."""


@dataclass(frozen=True)
class Summary:
    """What a folder holds after a run."""

    photos: int
    faces: int
    errors: int


@dataclass(frozen=True)
class BulkRun:
    """Photos that are about to be embedded into a folder of records."""

    photos: Sequence[BulkPhoto]
    out: Path
    options: BulkOptions
    run: RecordRun
    finished: int
    """Photos that have records already."""

    def work(self, on_progress: Callable[[Progress], None] = lambda _: None) -> Summary:
        """Embed the photos that have no records yet, and write theirs.

        Args:
            on_progress: Called from time to time, in another thread.

        Raises:
            UserError: The folder cannot be written to, or is in use; Ray cannot be started.
        """
        folder = RecordFolder(self.out)
        with sole_use(self.out):
            for part in (RECORDS, PICTURES):
                remove_leftovers(self.out / part)
            if self.finished < len(self.photos):
                folder.begin(self.run)
                with running_ray(self.options) as workers:
                    self._write(workers, on_progress)
            return summary_of(folder)

    def _write(self, workers: Workers, on_progress: Callable[[Progress], None]) -> None:
        tally = load_ray().remote(Tally).options(num_cpus=0).remote()
        stage = Stage(self.options, self.run, tally)
        dataset = dataset_of(self.photos, stage, workers, self.out / CHECKPOINT)
        with _watched(tally, on_progress):
            writers = max(1, workers.count // WORKERS_OF_A_WRITER)
            dataset.write_datasink(record_sink(self.out, self.run), ray_remote_args=READER, concurrency=writers)


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
        out: The folder.
        options: How.
        components: Networks that are loaded already.
        warn: Called with a message about each file of photos that cannot be read.

    Raises:
        UserError: Nothing is named; a file cannot be used; the folder is somebody else's, or was made otherwise.
    """
    load_arrow()
    load_ray()
    found = find_bulk_photos(photos, warn=warn)
    run = load_photo_coder(options, components).coder.run
    refuse_others(out, run)
    if is_record_folder(out):
        match_checkpoint(out)
    known = finished_in(out)
    return BulkRun(found, out, options, run, sum(photo.path in known for photo in found))


def refuse_others(out: Path, run: RecordRun) -> None:
    """Check that a folder holds records of such a run, or nothing.

    Raises:
        UserError: It holds something else.
    """
    if not is_record_folder(out):
        if out.exists() and (not out.is_dir() or any(one.name in (RUN, RECORDS, PICTURES) for one in out.iterdir())):
            raise UserError(f"{out}: holds files that are no records; choose another folder", arguments="out")
        return
    before = RecordFolder(out).run
    if changed := differences(before.settings, run.settings):
        raise UserError(f"{out}: its records are of other {', '.join(changed)}; choose another folder", arguments="out")


def match_checkpoint(out: Path) -> None:
    """Make Ray's checkpoint tell of the files of records that there are, where somebody deleted it or one of them."""
    arrow, noted, records = load_arrow(), out / CHECKPOINT, out / RECORDS
    if not noted.exists():
        for file in records.glob("*.parquet"):
            with replacing(noted / file.name) as part:
                arrow.parquet.write_table(arrow.parquet.read_table(file, columns=["path"]), part)
    for file in _committed(out):
        if not (records / file.name).exists():
            file.unlink()


def _committed(out: Path) -> list[Path]:
    return [one for one in (out / CHECKPOINT).glob("*.parquet") if not one.name.endswith(".pending.parquet")]


def finished_in(out: Path) -> frozenset[str]:
    """Paths of the photos whose records are written, as Ray's checkpoint tells."""
    arrow = load_arrow()
    try:
        paths = [arrow.parquet.read_table(file, columns=["path"])["path"].to_pylist() for file in _committed(out)]
    except (OSError, arrow.ArrowException) as error:
        raise UserError(f"{out / CHECKPOINT}: damaged; delete the folder of records, and begin again") from error
    return frozenset(path for some in paths for path in some)


def summary_of(folder: RecordFolder) -> Summary:
    """Count what a folder of records holds."""
    photos = faces = errors = 0
    for table in folder.tables(("face", "status")):
        numbers, status = table["face"].to_pylist(), table["status"].to_pylist()
        photos += sum(number <= 1 for number in numbers)
        faces += sum(number > 0 for number in numbers)
        errors += status.count(ERROR)
    return Summary(photos, faces, errors)


@contextmanager
def _watched(tally: Any, on_progress: Callable[[Progress], None]) -> Iterator[None]:  # noqa: ANN401 - an actor of Ray
    """Look at the tally now and then while the block runs, and once when it has ended."""
    ray, ended = load_ray(), threading.Event()

    def look() -> None:
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
