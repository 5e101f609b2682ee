import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest

from bulk_inputs import MakeOptions, SmallPhotos, TwoFaces, table_of, tar_of
from latentloop.bulk import BulkOptions, bulk_files, find_bulk_photos, load_photo_coder
from latentloop.bulk.coder import failed
from latentloop.bulk.dataset import Stage, rows_of_block
from latentloop.bulk.finished import finished_in
from latentloop.bulk.ray_engine import Workers, divided
from latentloop.bulk.run import Progress, Summary, summary_of
from latentloop.bulk.sink import write_records
from latentloop.bulk.tally import Tally
from latentloop.embedding.options import FaceOptions
from latentloop.errors import UserError
from latentloop.records import RecordFolder
from latentloop.records.schema import CROP, RECONSTRUCTION

pytestmark = pytest.mark.filterwarnings("ignore:.*:Warning:ray", "ignore::ResourceWarning")
JOB = """
import sys
from pathlib import Path
from latentloop.bulk import BulkOptions, bulk_files
from latentloop.common import Common
from latentloop.embedding.options import FaceOptions
generator, embedder, out, *photos = sys.argv[1:]
common = Common(generator=generator, device="cpu")
options = BulkOptions(common=common, embedder=embedder, faces=FaceOptions(aligned=True), batch=2, rows=2, workers=1)
print(bulk_files(photos, Path(out), options).work(lambda now: print("done", now.photos, flush=True)), flush=True)
"""


def rows_in(folder: Path) -> list[dict[str, object]]:
    return sorted(RecordFolder(folder).rows(), key=lambda row: str(row["path"]))


def test_a_job_writes_a_record_for_each_photo_and_goes_on_with_new_ones(
    small_options: MakeOptions, small_photos: SmallPhotos, small_network: tuple[Path, Path], tmp_path: Path
) -> None:
    """One job with all kinds of input: starting Ray takes longer than all else."""
    images = [path.read_bytes() for path in sorted(small_photos(small_network[0], 6).iterdir())]
    shard = tar_of(tmp_path / "s.tar", [("0.png", images[0]), ("bad.png", b"junk"), ("1.png", images[1])])
    table = table_of(tmp_path / "t.parquet", [*images[2:4], None])
    named, out = [str(tmp_path / "faces" / "4.png"), str(shard), str(table)], tmp_path / "out"
    options = small_options(workers=2, batch=2, rows=2, pictures=True)
    told: list[Progress] = []
    assert bulk_files(named, out, options).work(told.append) == Summary(photos=7, faces=5, errors=2)
    assert (told[-1].photos, told[-1].faces, told[-1].errors, len(told[-1].problems)) == (7, 5, 2, 2)
    rows = rows_in(out)
    wanted = load_photo_coder(options).rows(sorted(find_bulk_photos(named), key=lambda photo: photo.path))
    for row, own in zip(rows, wanted, strict=True):
        assert (row["path"], row["key"], row["error"]) == (own["path"], own["key"], own.get("error"))
        if own["status"] == "ok":
            np.testing.assert_array_equal(np.array(row["code"], np.float16), own["code"])
            assert row["lpips_alex"] == pytest.approx(own["lpips_alex"], rel=1e-5)
    assert picture_names(out) == {
        f"{r['key']}-1.{k}.jpg" for r in rows if r["face"] for k in ("crop", "reconstruction")
    }
    before = {path: path.read_bytes() for path in out.rglob("*.parquet")}
    later = bulk_files([str(tmp_path / "faces"), *named], out, options)
    assert (later.finished, len(later.photos)) == (7, 12)
    assert later.work() == Summary(photos=12, faces=10, errors=2)
    assert all(path.read_bytes() == content for path, content in before.items())
    assert len({row["path"] for row in rows_in(out)}) == 12
    assert not list(out.rglob(".latentloop*"))


def test_a_job_that_is_killed_goes_on_where_it_was(
    small_photos: SmallPhotos, small_network: tuple[Path, Path], tmp_path: Path
) -> None:
    photos, out = small_photos(small_network[0], 24), tmp_path / "out"
    command = [sys.executable, "-c", JOB, *map(str, small_network), str(out), str(photos)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout
        while not [one for one in (out / "checkpoint").glob("*.parquet") if "pending" not in one.name]:
            assert job.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
        os.kill(job.pid, signal.SIGKILL)
    finished = finished_in(out)
    assert 0 < len(finished) < 24
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Summary(photos=24, faces=24, errors=0)" in again.stdout
    paths = [str(row["path"]) for row in rows_in(out)]
    assert paths == sorted(str(path) for path in photos.iterdir())
    assert "done 24" not in again.stdout


def test_records_of_other_settings_are_not_mixed(small_options: MakeOptions, tmp_path: Path) -> None:
    out = tmp_path / "out"
    RecordFolder(out).begin(load_photo_coder(small_options()).coder.run)
    photo = [str(tmp_path / "a.png")]
    assert bulk_files(photo, out, small_options(batch=3, workers=7, rows=9)).finished == 0
    with pytest.raises(UserError, match=r"its records were made with other face; choose another folder"):
        bulk_files(photo, out, small_options(faces=FaceOptions(aligned=True, face="all")))
    with pytest.raises(UserError, match=r"its records were made with other .*steps"):
        bulk_files(photo, out, small_options(steps=3))
    with pytest.raises(UserError, match=r"its records were made with other figures"):
        bulk_files(photo, out, small_options(figures=False))


@pytest.mark.parametrize("name", ["records", "bulk.json", "pictures", "checkpoint"])
def test_files_of_somebody_else_are_left_alone(small_options: MakeOptions, tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("{}")
    with pytest.raises(UserError, match="holds files that are not records"):
        bulk_files([str(tmp_path / "a.png")], tmp_path / "out", small_options())


def test_damaged_records_are_said_in_one_line(small_options: MakeOptions, tmp_path: Path) -> None:
    out = tmp_path / "out"
    RecordFolder(out).begin(load_photo_coder(small_options()).coder.run)
    (out / "records").mkdir()
    (out / "records" / "a.parquet").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"a\.parquet: cannot read it"):
        bulk_files([str(tmp_path / "a.png")], out, small_options())


def test_the_checkpoint_is_made_to_tell_of_the_records_that_there_are(
    small_options: MakeOptions, small_photos: SmallPhotos, small_network: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, out = small_photos(small_network[0], 4), tmp_path / "out"
    (folder / "0.png").write_bytes(b"junk")
    photos = find_bulk_photos([str(folder)])
    coder = load_photo_coder(small_options())
    RecordFolder(out).begin(coder.coder.run)
    stage = Stage(small_options(), coder.coder.run)
    for name, some in (("a", photos[:3]), ("b", photos[3:])):
        write_records(stage.table_of(coder.rows(some)), out, name, coder.coder.run)
    named = [str(tmp_path / "faces")]
    assert bulk_files(named, out, small_options()).finished == 4
    assert finished_in(out) == {photo.path for photo in photos}
    for name in ("a", "c.pending", "d"):  # a torn entry, one of a file that was not written, one of a file that is gone
        (out / "checkpoint" / f"{name}.parquet").write_bytes(b"junk")
    (out / "pictures").mkdir()
    for name in ("b", "c"):
        (out / "pictures" / f"{name}.tar").write_bytes(b"")
    assert bulk_files(named, out, small_options()).finished == 4
    assert sorted(path.name for path in (out / "checkpoint").iterdir()) == ["a.parquet", "b.parquet"]
    assert [path.name for path in (out / "pictures").iterdir()] == ["b.tar"]
    assert bulk_files(named, out, small_options(retry_errors=True)).finished == 3
    assert finished_in(out) == {photo.path for photo in photos[1:]}
    assert [row["path"] for row in rows_in(out)] == [photo.path for photo in photos[1:]]
    (out / "records" / "a.parquet").unlink()
    assert bulk_files(named, out, small_options()).finished == 1
    assert finished_in(out) == {photos[3].path}


def test_a_photo_with_a_face_that_failed_is_tried_again_with_all_its_faces(
    small_options: MakeOptions,
    small_photos: SmallPhotos,
    small_network: tuple[Path, Path],
    two_faces: TwoFaces,
    tmp_path: Path,
) -> None:
    folder, out = small_photos(small_network[0], 3), tmp_path / "out"
    photos, options = find_bulk_photos([str(folder)]), small_options(pictures=True)
    two_faces(photos[1])
    coder = load_photo_coder(options)
    run, stage = coder.coder.run, Stage(options, coder.coder.run)
    RecordFolder(out).begin(run)
    for name, some in (("a", photos[:2]), ("b", photos[2:])):
        write_records(stage.table_of(coder.rows(some), CROP, RECONSTRUCTION), out, name, run)
    assert summary_of(RecordFolder(out)) == Summary(photos=3, faces=5, errors=1)
    assert bulk_files([str(folder)], out, options).finished == 3
    again = small_options(pictures=True, retry_errors=True)
    other = bulk_files([photos[0].path, photos[2].path], out, again)
    assert (other.finished, len(rows_in(out))) == (2, 6)  # the photo is not named, and keeps what it has
    before = {path: path.read_bytes() for path in out.rglob("b.*")}
    assert bulk_files([str(folder)], out, again).finished == 2
    assert finished_in(out) == {photos[0].path, photos[2].path}
    rows = rows_in(out)
    assert [(row["path"], row["face"]) for row in rows] == [(photos[i].path, face) for i in (0, 2) for face in (1, 2)]
    assert picture_names(out) == {f"{r['key']}-{r['face']}.{k}.jpg" for r in rows for k in ("crop", "reconstruction")}
    assert {path: path.read_bytes() for path in out.rglob("b.*")} == before
    assert sorted(path.name for path in (out / "checkpoint").iterdir()) == ["a.parquet", "b.parquet"]


def picture_names(out: Path) -> set[str]:
    return {m.name for tar in (out / "pictures").iterdir() for m in tarfile.open(tar)}


def test_photos_of_earlier_versions_are_counted_once_too(
    small_options: MakeOptions, small_photos: SmallPhotos, small_network: tuple[Path, Path], tmp_path: Path
) -> None:
    """The error of a face had no number, as if the whole photo had failed."""
    coder, out = load_photo_coder(small_options()), tmp_path / "out"
    (row,) = coder.rows(find_bulk_photos([str(small_photos(small_network[0], 1))]))
    RecordFolder(out).begin(coder.coder.run)
    rows = [row | {"faces": 2}, failed(row, "not enough memory to find its code")]
    write_records(Stage(small_options(), coder.coder.run).table_of(rows), out, "a", coder.coder.run)
    assert summary_of(RecordFolder(out)) == Summary(photos=1, faces=1, errors=1)
    assert bulk_files([str(tmp_path / "faces")], out, small_options(retry_errors=True)).finished == 0


def test_the_machine_is_divided_among_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentloop.bulk.ray_engine._processors", lambda: 8)
    monkeypatch.setattr("latentloop.bulk.ray_engine.host_memory", lambda: 64 << 30)
    assert sizes(divided(BulkOptions(), {"CPU": 10.0})) == (8, 1, False)
    assert sizes(divided(BulkOptions(workers=3), {"CPU": 10.0})) == (3, 2, False)
    monkeypatch.setattr("latentloop.bulk.ray_engine.host_memory", lambda: 4 << 30)
    assert sizes(divided(BulkOptions(), {"CPU": 10.0})) == (2, 4, False)
    two_gpus = divided(BulkOptions(), {"CPU": 16.0, "GPU": 2.0})
    assert (*sizes(two_gpus), two_gpus.finders) == (2, 1, True, 12)
    assert sizes(divided(BulkOptions(address="auto"), {"CPU": 200.0})) == (198, 1, False)


def sizes(workers: Workers) -> tuple[int, int, bool]:
    return workers.count, workers.threads, workers.gpus


def test_blocks_are_small_where_there_are_few_photos() -> None:
    assert rows_of_block(1_000_000, 2, BulkOptions()) == 256
    assert rows_of_block(500, 2, BulkOptions()) == 63
    assert rows_of_block(20, 4, BulkOptions(batch=8)) == 8
    assert rows_of_block(20, 4, BulkOptions(batch=8, rows=3)) == 3
    assert rows_of_block(0, 4, BulkOptions()) == 8


def test_the_tally_counts_photos_by_their_first_face() -> None:
    tally = Tally()
    tally.add([("/a", 1, None), ("/a", 2, None), ("/b", 0, "/b: no face")])
    tally.add([(f"/{i}", 0, f"/{i}: damaged") for i in range(30)])
    photos, faces, errors, problems = tally.counts()
    assert (photos, faces, errors) == (32, 2, 31)
    assert problems == ["/b: no face", *(f"/{i}: damaged" for i in range(19))]


def test_a_face_that_failed_is_an_error_and_no_further_photo() -> None:
    tally = Tally()
    tally.add([("/a", 1, None), ("/a", 2, "/a:2: no memory")])
    tally.add([("/b", 1, "/b:1: no memory"), ("/b", 2, "/b:2: no memory"), ("/b", 3, None)])
    assert tally.counts()[:3] == (2, 2, 3)
