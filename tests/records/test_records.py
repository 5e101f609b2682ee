import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch

from latentloop.bulk.sink import keep_pictures, write_pictures, write_records
from latentloop.errors import UserError
from latentloop.records import COLUMNS, RecordFolder, RecordRun, arrow_schema, is_record_folder, nearest
from latentloop.records.naming import split_record
from latentloop.records.schema import CROP, RECONSTRUCTION

RUN = RecordRun("toy-32", "0123456789abcdef", "net 123", "0.1.0", num_ws=4, w_dim=8, identity_dim=3, settings={"a": 1})
MakeRecords = Callable[..., RecordFolder]


def record(path: str, i: int = 1, *, face: int = 1, faces: int = 1, **changes: object) -> dict[str, Any]:
    """A row as a worker makes it; its code and identity say which one it is."""
    row = {
        "path": path,
        "key": f"{i:064x}",
        "face": face,
        "faces": faces,
        "status": "ok",
        "width": 80,
        "height": 60,
        "quad": np.arange(8.0) + i,
        "code": np.full(32, i / 4, np.float16) + np.arange(32, dtype=np.float16),
        "steps": 0,
        "identity": np.array([np.cos(i), np.sin(i), 0], np.float16),
        "mse": 0.25,
    }
    return {**row, **changes}


@pytest.fixture
def records(tmp_path: Path) -> MakeRecords:
    """Makes a folder of records, a file for each list of rows."""

    def make(*files: list[dict[str, Any]], run: RecordRun = RUN) -> RecordFolder:
        folder = RecordFolder(tmp_path / "records")
        folder.begin(run)
        for i, rows in enumerate(files):
            write_records(pyarrow.Table.from_pylist(rows, schema=arrow_schema(run)), folder.path, f"{i}", run)
        return folder

    return make


def test_every_column_is_in_the_files_with_its_meaning() -> None:
    schema = arrow_schema(RUN)
    assert schema.names == [column.name for column in COLUMNS]
    assert {field.name: field.metadata[b"meaning"].decode() for field in schema} == {c.name: c.meaning for c in COLUMNS}
    assert str(schema.field("code").type) == "fixed_size_list<item: halffloat>[32]"
    assert str(schema.field("identity").type) == "fixed_size_list<item: halffloat>[3]"
    assert str(schema.field("landmarks").type) == "fixed_size_list<item: float>[10]"


def test_codes_are_read_as_they_were_written(records: MakeRecords) -> None:
    bad = {"path": "/b.jpg", "face": 0, "faces": 0, "status": "error", "error": "/b.jpg: no face found"}
    folder = records([record("/a.jpg", 1), bad], [record("/c.jpg", 2, loss=0.5, steps=3)])
    (first, one), (second, two) = folder.codes()
    assert (first, second) == ("/a.jpg", "/c.jpg")
    assert one.w_plus.dtype == torch.float32
    torch.testing.assert_close(one.w_plus, (torch.arange(32.0) + 0.25).reshape(4, 8), rtol=0, atol=0)
    torch.testing.assert_close(two.quad, (torch.arange(8.0, dtype=torch.float64) + 2).reshape(4, 2), rtol=0, atol=0)
    assert (one.generator, one.fingerprint, one.original_size, one.photo_sha256) == (
        "toy-32",
        "0123456789abcdef",
        (80, 60),
        f"{1:064x}",
    )
    assert (one.losses.tolist(), two.losses.tolist(), two.steps) == ([], [0.5], 0)
    assert one.details["settings"] == {"a": 1}
    assert one.details["metrics"] == {"mse": 0.25}


def test_a_face_is_found_by_the_end_of_its_path(records: MakeRecords) -> None:
    several = [record("/x/b.jpg", i, face=i, faces=2) for i in (1, 2)]
    folder = records([record("/x/a.jpg", 3)], [*several, record("/y/a.jpg", 4), record("/t.tar:in/c.jpg", 5)])
    assert list(folder.names()) == ["/x/a.jpg", "/x/b.jpg:1", "/x/b.jpg:2", "/y/a.jpg", "/t.tar:in/c.jpg"]
    for name, i in (("x/a.jpg", 3), ("/y/a.jpg", 4), ("b.jpg:2", 2), ("c.jpg", 5), ("in/c.jpg", 5)):
        assert folder.code(name).photo_sha256 == f"{i:064x}"
    with pytest.raises(UserError, match=r"several photos a\.jpg: /x/a\.jpg, /y/a\.jpg"):
        folder.code("a.jpg")
    with pytest.raises(UserError, match=r"no photo \.jpg"):
        folder.code(".jpg")


def test_a_photo_without_a_face_says_that_its_record_tells_why(records: MakeRecords) -> None:
    folder = records([{"path": "/b.jpg", "face": 0, "faces": 0, "status": "error", "error": "/b.jpg: no face"}])
    with pytest.raises(UserError, match=r"/b\.jpg: has no code; see the error in its record"):
        folder.code("b.jpg")
    assert list(folder.codes()) == []


def test_nearest_faces_are_those_of_the_largest_cosine(records: MakeRecords) -> None:
    angles = [0.3, 2.0, 0.1, -0.2, 3.0, 1.0]
    rows = [record(f"/{i}.jpg", i, identity=np.array([np.cos(a), np.sin(a), 0])) for i, a in enumerate(angles)]
    folder = records(rows[:2], rows[2:4], rows[4:])
    found = nearest(folder, torch.tensor([2.0, 0.0, 0.0]), count=3)
    assert [name for name, _ in found] == ["/2.jpg", "/3.jpg", "/0.jpg"]
    assert [value for _, value in found] == pytest.approx(np.cos([0.1, 0.2, 0.3]), abs=2e-3)


def test_codes_are_compared_without_their_mean(records: MakeRecords) -> None:
    codes = np.random.default_rng(0).normal(size=(5, 32)) + 100
    folder = records([record(f"/{i}.jpg", i, code=code.astype(np.float16)) for i, code in enumerate(codes)])
    stored = np.stack([code.w_plus.flatten().numpy() for _, code in folder.codes()])
    centred = stored - stored.mean(axis=0)
    wanted = centred @ centred[3] / np.linalg.norm(centred, axis=1) / np.linalg.norm(centred[3])
    found = dict(nearest(folder, torch.from_numpy(stored[3]), by="code", count=5))
    assert [found[f"/{i}.jpg"] for i in range(5)] == pytest.approx(wanted, abs=1e-3)
    with pytest.raises(ValueError, match="query must have 32 numbers, got 5"):
        nearest(folder, torch.zeros(5), by="code")


def test_a_face_without_a_code_is_left_out(records: MakeRecords) -> None:
    def failed(**changes: object) -> dict[str, Any]:
        return record("/a.jpg", 2, face=2, faces=3, code=None, identity=None, **changes)

    for face in (failed(status="error", error="/a.jpg:2: not enough memory"), failed()):  # the second one is damaged
        folder = records([record("/a.jpg", 1, faces=3), face], [record("/a.jpg", 3, face=3, faces=3)], [face])
        assert [name for name, _ in folder.codes()] == ["/a.jpg:1", "/a.jpg:3"]
        for by, size in (("identity", 3), ("code", 32)):
            assert {name for name, _ in nearest(folder, torch.ones(size), by=by)} == {"/a.jpg:1", "/a.jpg:3"}  # type: ignore[arg-type]
        assert folder.code("a.jpg:3").photo_sha256 == f"{3:064x}"
        with pytest.raises(UserError, match=r"/a\.jpg:2: has no code; see the error in its record"):
            folder.code("a.jpg:2")


def test_pictures_of_other_rows_are_deleted(tmp_path: Path) -> None:
    rows = [record(f"/{i}.jpg", i, face=face) for i, face in ((1, 1), (1, 2), (2, 1))]
    tar, pictures = tmp_path / "n.tar", {CROP: b"crop", RECONSTRUCTION: b"drawn"}
    keep_pictures(tar, rows)  # there may be none
    assert not tar.exists()
    write_pictures(tar, [row | pictures for row in rows])
    whole = tar.read_bytes()
    keep_pictures(tar, rows)
    assert tar.read_bytes() == whole
    keep_pictures(tar, rows[:1])
    with tarfile.open(tar) as archive:
        assert {m.name: archive.extractfile(m).read() for m in archive} == {  # type: ignore[union-attr]
            f"{1:064x}-1.crop.jpg": b"crop",
            f"{1:064x}-1.reconstruction.jpg": b"drawn",
        }
    tar.write_bytes(b"junk" * 200)
    with pytest.raises(UserError, match=r"n\.tar: damaged"):
        keep_pictures(tar, rows)


def test_pictures_go_into_a_tar_file_beside(tmp_path: Path) -> None:
    schema = arrow_schema(RUN)
    for name in (CROP, RECONSTRUCTION):
        schema = schema.append(pyarrow.field(name, pyarrow.binary()))
    rows = [record("/a.jpg", 1) | {CROP: b"crop", RECONSTRUCTION: b"drawn"}, record("/b.jpg", 2)]
    write_records(pyarrow.Table.from_pylist(rows, schema=schema), tmp_path, "n", RUN)
    with tarfile.open(tmp_path / "pictures" / "n.tar") as archive:
        assert {m.name: archive.extractfile(m).read() for m in archive} == {  # type: ignore[union-attr]
            f"{1:064x}-1.crop.jpg": b"crop",
            f"{1:064x}-1.reconstruction.jpg": b"drawn",
        }
    assert pyarrow.parquet.read_schema(tmp_path / "records" / "n.parquet").names == arrow_schema(RUN).names


def test_what_is_damaged_or_of_a_later_version_is_said_in_one_line(records: MakeRecords) -> None:
    folder = records([record("/a.jpg")])
    (folder.path / "records" / "1.parquet").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"1\.parquet: cannot read it as a Parquet file"):
        list(folder.codes())
    pyarrow.parquet.write_table(pyarrow.table({"path": ["a"], "status": [1]}), folder.path / "records" / "1.parquet")
    with pytest.raises(UserError, match=r"1\.parquet: damaged: its column key is missing or has another type"):
        list(folder.codes())
    (folder.path / "bulk.json").write_text('{"signature": "latentloop bulk", "format": 2}')
    with pytest.raises(UserError, match=r"records of version 2, this latentloop reads version 1"):
        _ = RecordFolder(folder.path).run
    (folder.path / "bulk.json").write_text('{"signature": "latentloop bulk", "format": 1, "generator": 3}')
    with pytest.raises(UserError, match=r"generator must be str, got int"):
        _ = RecordFolder(folder.path).run


def test_a_record_is_named_by_its_folder_and_photo(records: MakeRecords) -> None:
    folder = records([]).path
    assert is_record_folder(folder)
    assert not is_record_folder(folder.parent)
    assert split_record(f"{folder}:a.jpg:2") == (folder, "a.jpg:2")
    assert split_record(f"{folder}/:a.jpg") == (folder, "a.jpg")
    assert split_record(f"{folder.parent}:a.jpg") is None
    assert split_record(f"{folder}:") is None
    assert split_record(str(folder)) is None


def test_a_run_is_the_same_after_a_round_trip() -> None:
    assert RecordRun.from_json(RUN.as_json()) == RUN
    assert RecordRun.from_json(replace(RUN, settings={}).as_json()) != RUN
