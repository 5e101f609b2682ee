"""State of a folder of records: which photos are done, and whether the folder is ours."""

from collections.abc import Set
from pathlib import Path

from latentloop.bulk.sink import keep_pictures
from latentloop.embedding.result_folder import INFORMATIVE
from latentloop.errors import UserError
from latentloop.files import remove_leftovers, replacing
from latentloop.ownership import refuse_links
from latentloop.records.folder import CHECKPOINT, RecordFolder
from latentloop.records.naming import RUN, is_record_folder
from latentloop.records.parquet import open_parquet
from latentloop.records.schema import ERROR, PICTURES, RECORDS, RecordRun, load_arrow
from latentloop.stamps import differences


def refuse_others(out: Path, run: RecordRun) -> None:
    """Check that a folder holds records of such a run, or nothing.

    Raises:
        UserError: It holds something else.
    """
    if is_record_folder(out):
        if changed := [n for n in differences(RecordFolder(out).run.settings, run.settings) if n not in INFORMATIVE]:
            problem = f"its records were made with other {', '.join(changed)}; choose another folder"
            raise UserError(f"{out}: {problem}", arguments="out")
        return
    parts = [out / name for name in (RUN, RECORDS, PICTURES, CHECKPOINT)]
    refuse_links(out, *parts)
    if (out.exists() and not out.is_dir()) or any(part.exists() for part in parts):
        raise UserError(f"{out}: holds files that are not records; choose another folder", arguments="out")


def match_checkpoint(out: Path) -> None:
    """Bring Ray's checkpoint in line with the records that exist, which appear whole or not at all.

    Leftovers of a stopped job are deleted: entries of files that were not written, and pictures without records. The
    caller must hold the folder's lock.

    Raises:
        UserError: A file of records is damaged, or the folder cannot be written to.
    """
    records = {file.stem for file in (out / RECORDS).glob("*.parquet")}
    for part in (RECORDS, PICTURES, CHECKPOINT):
        remove_leftovers(out / part)
    for note in (out / CHECKPOINT).glob("*.parquet"):
        if note.stem not in records:  # also deletes NAME.pending.parquet, Ray's notes of unfinished files
            note.unlink()
    for name in sorted(records):
        if not _is_note(out / CHECKPOINT / f"{name}.parquet"):
            _note(out, name)
    for pictures in (out / PICTURES).glob("*.tar"):
        if pictures.stem not in records:
            pictures.unlink()


def finished_in(out: Path) -> frozenset[str]:
    """List the paths of photos that have records, by a checkpoint that matches them."""
    notes = (out / CHECKPOINT).glob("*.parquet")
    files = [note for note in notes if not note.name.endswith(".pending.parquet")]
    return frozenset(path for file in files for path in _paths_in(file))


def drop_errors(out: Path, photos: Set[str]) -> None:
    """Delete all records and pictures of photos that have an error, so that all their faces are tried again.

    Args:
        out: Folder of records; the caller must hold its lock.
        photos: Paths of the photos that can be tried again; records of others are kept, with their errors.

    Raises:
        UserError: A file of records or pictures is damaged, or the folder cannot be written to.
    """
    arrow, folder = load_arrow(), RecordFolder(out)
    for file, table in zip(folder.files, folder.tables(), strict=True):
        failed = table.filter(arrow.compute.equal(table["status"], ERROR))["path"].to_pylist()
        again = arrow.array(sorted(photos & set(failed)), arrow.string())
        if not len(again):
            continue
        good = table.filter(arrow.compute.invert(arrow.compute.is_in(table["path"], value_set=again)))
        # The note is deleted first: after a kill in between, no photo must count as done without a record. Pictures
        # come before the records, whose errors tell a later run to delete the rest.
        (out / CHECKPOINT / file.name).unlink(missing_ok=True)
        keep_pictures(out / PICTURES / f"{file.stem}.tar", good.select(["key", "face"]).to_pylist())
        with replacing(file) as part:
            arrow.parquet.write_table(good, part, compression="zstd")
        _note(out, file.stem)


def _note(out: Path, name: str) -> None:
    table = open_parquet(out / RECORDS / f"{name}.parquet").read(columns=["path"])
    with replacing(out / CHECKPOINT / f"{name}.parquet") as part:
        load_arrow().parquet.write_table(table, part)


def _is_note(file: Path) -> bool:
    try:
        _paths_in(file)
    except UserError:
        return False
    return True


def _paths_in(file: Path) -> list[str]:
    """Read the paths in an entry of the checkpoint."""
    arrow, opened = load_arrow(), open_parquet(file)
    if opened.schema_arrow.names != ["path"] or not arrow.types.is_string(opened.schema_arrow.field("path").type):
        raise UserError(f"{file}: not a list of paths")
    try:
        paths: list[str] = opened.read()["path"].to_pylist()
    except (OSError, arrow.ArrowException) as error:
        raise UserError(f"{file}: damaged") from error
    return paths
