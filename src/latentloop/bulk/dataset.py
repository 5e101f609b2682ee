"""Bulk job as a Ray dataset: photos in blocks, workers that load their networks once, rows of records."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from latentloop.allocator import keep_freed_memory
from latentloop.bulk.coder import TARGET, PhotoCoder, Row, failed, load_face_finder, load_photo_coder
from latentloop.bulk.options import BulkOptions
from latentloop.bulk.photos import BulkPhoto, photo_source, photos_in
from latentloop.bulk.ray_engine import Workers, workers_on_ray
from latentloop.bulk.ray_module import load_ray
from latentloop.bulk.sources import find_bulk_photos
from latentloop.embedding import Components
from latentloop.records.schema import CROP, RECONSTRUCTION, RecordRun, arrow_schema, load_arrow

if TYPE_CHECKING:
    import pyarrow
    import ray.data

READER = {"num_cpus": 0.05}
"""Share of a processor that a task takes to list photos or write records; each is a process of its own."""
DEATHS = 3
"""Number of worker deaths on a photo after which it is given up; until then Ray restarts the worker and its batch."""
ROWS_OF_FACES = 32
"""Largest number of photos in a block that carries aligned faces, 0.8 MB each."""
BLOCKS = 4
"""Smallest number of blocks per worker, if there are enough photos."""
SHARE = 0.9
"""Processors that Ray counts per thread of a worker."""


@dataclass(frozen=True)
class Stage:
    """Construction arguments of the workers: plain values, sent to other processes."""

    options: BulkOptions
    run: RecordRun
    tally: Any = None
    """Actor that counts the rows, a `tally.Tally`; None counts nothing."""

    def table_of(self, rows: Sequence[Row], *more: str) -> "pyarrow.Table":
        """Convert rows of records to a table, with additional columns of bytes."""
        arrow = load_arrow()
        schema = arrow_schema(self.run)
        for name in more:
            schema = schema.append(arrow.field(name, arrow.binary()))
        return arrow.Table.from_pylist(rows, schema=schema)


class FinderActor:
    """Ray worker that finds faces; it maps tables of photos to tables of rows with `TARGET`."""

    def __init__(self, stage: Stage, threads: int) -> None:
        _use(threads)
        self._stage, self._finder = stage, load_face_finder(stage.options)

    def __call__(self, batch: "pyarrow.Table") -> "pyarrow.Table":
        """Find the faces of a batch of photos."""
        return self._stage.table_of(_surviving(self._stage, photos_in(batch), self._finder.rows), TARGET)


class CoderActor:
    """Ray worker that computes codes; it maps tables of rows with `TARGET` to tables of records."""

    def __init__(self, stage: Stage, threads: int) -> None:
        self._stage, self._coder = stage, _coder(stage, threads).coder

    def __call__(self, batch: "pyarrow.Table") -> "pyarrow.Table":
        """Compute the codes of a batch of faces."""
        known = [{name: value for name, value in row.items() if value is not None} for row in batch.to_pylist()]
        return _counted(self._stage, self._coder.rows(known))


class PhotoActor:
    """Ray worker that finds faces and computes their codes."""

    def __init__(self, stage: Stage, threads: int) -> None:
        self._stage, self._coder = stage, _coder(stage, threads)

    def __call__(self, batch: "pyarrow.Table") -> "pyarrow.Table":
        """Compute the codes of a batch of photos."""
        return _counted(self._stage, _surviving(self._stage, photos_in(batch), self._coder.rows))


def dataset_of(
    photos: Sequence[BulkPhoto], stage: Stage, workers: Workers, checkpoint: Path | None = None
) -> "ray.data.Dataset":
    """Describe the records of photos as a Ray dataset, which is computed as it is read.

    Args:
        photos: Photos with different paths.
        stage: Construction arguments of the workers.
        workers: Processes to use.
        checkpoint: Folder in which Ray notes photos whose records are written, to skip them.
    """
    with configured(checkpoint):
        return _dataset(photos, stage, workers)


def _dataset(photos: Sequence[BulkPhoto], stage: Stage, workers: Workers) -> "ray.data.Dataset":
    from ray.data import ActorPoolStrategy, read_datasource

    rows = min(rows_of_block(len(photos), workers.count, stage.options), ROWS_OF_FACES if workers.gpus else len(photos))
    blocks = math.ceil(len(photos) / rows)
    photos_read = read_datasource(photo_source(photos, rows), override_num_blocks=blocks, concurrency=1, **READER)
    made = {"stage": stage, "threads": workers.threads}
    common = {"batch_format": "pyarrow", "fn_constructor_kwargs": made, "udf_modifying_row_count": True}
    # Slightly less than whole processors: otherwise workers on all of them would leave none for listing photos.
    batch, on_cpu = stage.options.batch, {"num_cpus": SHARE * workers.threads, **workers.environment}
    coders = ActorPoolStrategy(size=min(workers.count, blocks))
    if not workers.gpus:
        records: ray.data.Dataset = photos_read.map_batches(
            PhotoActor, batch_size=batch, compute=coders, **common, **on_cpu
        )
        return records
    finders = ActorPoolStrategy(size=min(workers.finders, blocks))
    faces = photos_read.map_batches(FinderActor, batch_size=batch, compute=finders, **common, **on_cpu)
    records = faces.map_batches(CoderActor, batch_size=batch, compute=coders, num_gpus=1, **common)
    return records  # noqa: RET504 - Ray says nothing of its type


def rows_of_block(photos: int, workers: int, options: BulkOptions) -> int:
    """Choose the number of photos per file of records, small enough that no worker waits long for the last one."""
    return max(1, min(options.rows, max(options.batch, math.ceil(photos / (BLOCKS * workers)))))


def record_dataset(
    photos: Sequence[str], options: BulkOptions = BulkOptions(), components: Components | None = None
) -> "ray.data.Dataset":
    """Compute the codes of photos as a Ray dataset: one row per face, computed as it is read.

    Args:
        photos: As for `find_bulk_photos`.
        options: Settings of the job.
        components: Networks that are loaded already, to describe the rows; workers load their own.

    Raises:
        UserError: Nothing is named, a file cannot be used, or Ray is not installed or does not start.
    """
    found, run = find_bulk_photos(photos), load_photo_coder(options, components).coder.run
    return dataset_of(found, Stage(options, run), workers_on_ray(options))


@contextmanager
def configured(checkpoint: Path | None) -> Iterator[None]:
    """Set the context that Ray datasets created inside inherit: quiet, whole blocks, and a checkpoint."""
    load_ray()
    from ray.data import DataContext
    from ray.data.checkpoint import CheckpointConfig

    context, noted = DataContext.get_current(), None
    if checkpoint:
        path = str(checkpoint.absolute())
        noted = CheckpointConfig("path", path, delete_checkpoint_on_success=False)
    wanted = {
        "enable_progress_bars": False,
        "print_on_execution_start": False,
        # A photo's rows must stay in one block: the checkpoint counts photos, so a stop could lose some of its faces.
        "target_max_block_size": None,
        "checkpoint_config": noted,
    }
    before = {name: getattr(context, name) for name in wanted}
    try:
        for name, value in wanted.items():
            setattr(context, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)


def _coder(stage: Stage, threads: int) -> PhotoCoder:
    _use(threads)
    return load_photo_coder(stage.options)


def _use(threads: int) -> None:
    """Set the number of threads in a worker, for libraries that ignore the environment variables."""
    torch.set_num_threads(threads)
    keep_freed_memory()


def _surviving(
    stage: Stage, photos: Sequence[BulkPhoto], rows_of: Callable[[Sequence[BulkPhoto]], list[Row]]
) -> list[Row]:
    """Create the rows of photos; after a worker's death they are tried one by one, and the fatal ones become errors."""
    if stage.tally is None:
        return rows_of(photos)
    get, tally = load_ray().get, stage.tally
    deaths: dict[str, int] = get(tally.deaths.remote([photo.path for photo in photos]))
    parts = [[photo] for photo in photos] if any(deaths.values()) else [list(photos)]
    rows: list[Row] = []
    for part in parts:
        names = [photo.path for photo in part]
        if max(deaths[name] for name in names) >= DEATHS:
            rows.append(failed({"path": names[0], "key": None}, f"its worker died {DEATHS} times"))
            continue
        get(tally.begin.remote(names))
        rows += rows_of(part)
        get(tally.end.remote(names))
    return rows


def _counted(stage: Stage, rows: Sequence[Row]) -> "pyarrow.Table":
    if stage.tally is not None:
        stage.tally.add.remote([(row["path"], row["face"], row.get("error")) for row in rows])
    return stage.table_of(rows, *((CROP, RECONSTRUCTION) if stage.options.pictures else ()))
