"""A bulk job as a Ray dataset: photos in blocks, workers that load their networks once, rows of records."""

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
"""What a task that lists photos or writes records takes of a processor; each process is one that Ray has to start."""
DEATHS = 3
"""Deaths of workers over a photo after which it is given up; Ray starts a worker again, and its batch."""
ROWS_OF_FACES = 32
"""Photos of a block that carries their aligned faces, 0.8 MB each."""
BLOCKS = 4
"""Least blocks for each worker, where there are the photos for it."""
SHARE = 0.9
"""What Ray counts for each thread of a worker, in processors."""


@dataclass(frozen=True)
class Stage:
    """What the workers are made with: plain values, sent to other processes."""

    options: BulkOptions
    run: RecordRun
    tally: Any = None
    """Actor that counts the rows, a `tally.Tally`; None counts nothing."""

    def table_of(self, rows: Sequence[Row], *more: str) -> "pyarrow.Table":
        """Put rows of records into a table, with more columns of bytes."""
        arrow = load_arrow()
        schema = arrow_schema(self.run)
        for name in more:
            schema = schema.append(arrow.field(name, arrow.binary()))
        return arrow.Table.from_pylist(rows, schema=schema)


class FinderActor:
    """A worker of Ray that finds faces; batches are tables of photos and of rows with `TARGET`."""

    def __init__(self, stage: Stage, threads: int) -> None:
        _use(threads)
        self._stage, self._finder = stage, load_face_finder(stage.options)

    def __call__(self, batch: "pyarrow.Table") -> "pyarrow.Table":
        """Find the faces of a batch of photos."""
        return self._stage.table_of(_surviving(self._stage, photos_in(batch), self._finder.rows), TARGET)


class CoderActor:
    """A worker of Ray that finds codes; batches are tables of rows with `TARGET`, and of records."""

    def __init__(self, stage: Stage, threads: int) -> None:
        self._stage, self._coder = stage, _coder(stage, threads).coder

    def __call__(self, batch: "pyarrow.Table") -> "pyarrow.Table":
        """Find the codes of a batch of faces."""
        known = [{name: value for name, value in row.items() if value is not None} for row in batch.to_pylist()]
        return _counted(self._stage, self._coder.rows(known))


class PhotoActor:
    """A worker of Ray that does both."""

    def __init__(self, stage: Stage, threads: int) -> None:
        self._stage, self._coder = stage, _coder(stage, threads)

    def __call__(self, batch: "pyarrow.Table") -> "pyarrow.Table":
        """Find the codes of a batch of photos."""
        return _counted(self._stage, _surviving(self._stage, photos_in(batch), self._coder.rows))


def dataset_of(
    photos: Sequence[BulkPhoto], stage: Stage, workers: Workers, checkpoint: Path | None = None
) -> "ray.data.Dataset":
    """Describe the records of photos as a Ray dataset, which is computed as it is read.

    Args:
        photos: The photos, of which no two have the same path.
        stage: What the workers are made with.
        workers: The processes to use.
        checkpoint: Folder in which Ray notes the photos whose records are written, and by which it skips them.
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
    # Not quite whole processors, so that on a machine whose every one has a worker photos are still listed.
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
    """Choose how many photos make a file of records: few enough that no worker waits long for the last one's end."""
    return max(1, min(options.rows, max(options.batch, math.ceil(photos / (BLOCKS * workers)))))


def record_dataset(
    photos: Sequence[str], options: BulkOptions = BulkOptions(), components: Components | None = None
) -> "ray.data.Dataset":
    """Find the codes of photos as a Ray dataset: a row for each face, computed as it is read.

    Args:
        photos: As for `find_bulk_photos`.
        options: How.
        components: Networks that are loaded already, for the description of the rows; workers load their own.

    Raises:
        UserError: Nothing is named, a file cannot be used, or Ray is not installed or does not start.
    """
    found, run = find_bulk_photos(photos), load_photo_coder(options, components).coder.run
    return dataset_of(found, Stage(options, run), workers_on_ray(options))


@contextmanager
def configured(checkpoint: Path | None) -> Iterator[None]:
    """Set what datasets that are made within take over: quiet, whole blocks, and where they note what is done."""
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
        # Rows of a photo must not come apart, or a run that is stopped could lose some of its faces.
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
    """Set a worker's threads, of which it has been told by the environment, too."""
    torch.set_num_threads(threads)
    keep_freed_memory()


def _surviving(
    stage: Stage, photos: Sequence[BulkPhoto], rows_of: Callable[[Sequence[BulkPhoto]], list[Row]]
) -> list[Row]:
    """Make the rows of photos; where a worker died over them before, one by one, and those it died over are errors."""
    if stage.tally is None:
        return rows_of(photos)
    get, tally = load_ray().get, stage.tally
    deaths: dict[str, int] = get(tally.deaths.remote([photo.path for photo in photos]))
    parts = [[photo] for photo in photos] if any(deaths.values()) else [list(photos)]
    rows: list[Row] = []
    for part in parts:
        names = [photo.path for photo in part]
        if max(deaths[name] for name in names) >= DEATHS:
            rows.append(failed({"path": names[0], "key": None}, "the worker that looked at it died, again and again"))
            continue
        get(tally.begin.remote(names))
        rows += rows_of(part)
        get(tally.end.remote(names))
    return rows


def _counted(stage: Stage, rows: Sequence[Row]) -> "pyarrow.Table":
    if stage.tally is not None:
        stage.tally.add.remote([(row["path"], row["face"], row.get("error")) for row in rows])
    return stage.table_of(rows, *((CROP, RECONSTRUCTION) if stage.options.pictures else ()))
