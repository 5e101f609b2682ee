import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import latentloop as ll
from bulk_inputs import MakeOptions, SmallPhotos
from latentloop.bulk import BulkPhoto, find_bulk_photos, load_photo_coder
from latentloop.bulk.dataset import CoderActor, FinderActor, PhotoActor, Stage
from latentloop.bulk.photos import photo_table, photos_in
from latentloop.bulk.tally import Tally
from latentloop.records import COLUMNS

pytestmark = pytest.mark.filterwarnings("ignore:.*:Warning:ray", "ignore::ResourceWarning")


def test_a_table_of_photos_gives_them_back() -> None:
    photos = [
        BulkPhoto("/a.jpg", "/a.jpg"),
        BulkPhoto("/t.tar:b", "/t.tar", 512, 7),
        BulkPhoto("/p:1", "/p", group=0, row=1),
    ]
    assert photos_in(photo_table(photos)) == photos
    assert photos_in(photo_table([])) == []


def test_workers_for_faces_and_for_codes_give_what_one_for_both_gives(
    small_options: MakeOptions, small_photos: SmallPhotos, small_network: tuple[Path, Path]
) -> None:
    folder = small_photos(small_network[0], 3)
    (folder / "bad.png").write_bytes(b"junk")
    options = small_options(pictures=True)
    stage = Stage(options, load_photo_coder(options).coder.run)
    table = photo_table(find_bulk_photos([str(folder)]))
    both = PhotoActor(stage, 1)(table)
    apart = CoderActor(stage, 1)(FinderActor(stage, 1)(table))
    assert both.num_rows == 4
    assert both.equals(apart)
    assert set(both.column_names) == {column.name for column in COLUMNS} | {"crop_jpeg", "reconstruction_jpeg"}
    assert torch.get_num_threads() == 1


def test_processes_that_only_list_and_write_import_no_pytorch() -> None:
    modules = "latentloop.bulk.photos, latentloop.bulk.sink, latentloop.bulk.tally, latentloop.records.naming"
    script = f"import sys, {modules}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout.strip() == b"False"


def test_a_model_gives_a_dataset(small_photos: SmallPhotos, small_network: tuple[Path, Path]) -> None:
    folder, (generator, embedder) = small_photos(small_network[0], 3), small_network
    model = ll.load(generator, embedder=embedder, device="cpu")
    with pytest.raises(TypeError, match=r"device is decided by latentloop\.load"):
        model.invert_dataset(folder, device="cuda")
    with pytest.raises(TypeError, match="did you mean 'workers'"):
        model.invert_dataset(folder, worker=2)
    import ray

    try:
        dataset = model.invert_dataset(folder, aligned=True, workers=1, batch=2)
        rows = sorted(dataset.take_all(), key=lambda row: str(row["path"]))
        wanted = [model.invert(folder / f"{i}.png", steps=0, aligned=True) for i in range(3)]
        assert [Path(row["path"]).name for row in rows] == ["0.png", "1.png", "2.png"]
        for row, one in zip(rows, wanted, strict=True):
            found = torch.tensor(row["code"]).reshape(one.code.w_plus.shape)
            torch.testing.assert_close(found, one.code.w_plus, rtol=2**-10, atol=1e-3, check_dtype=False)
    finally:
        ray.shutdown()


class Rememberer:
    """Stands for an actor: a tally whose methods are called by `remote`."""

    def __init__(self) -> None:
        self.tally = Tally()

    def __getattr__(self, name: str) -> object:
        return SimpleNamespace(remote=getattr(self.tally, name))


def test_a_photo_over_which_workers_die_becomes_an_error_and_the_others_go_on(
    small_options: MakeOptions,
    small_photos: SmallPhotos,
    small_network: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ray.get", lambda value: value)
    photos = find_bulk_photos([str(small_photos(small_network[0], 4))])
    options, tally = small_options(), Rememberer()
    actor = PhotoActor(Stage(options, load_photo_coder(options).coder.run, tally), 1)
    read, seen = BulkPhoto.read, list[str]()

    def deadly(self: BulkPhoto) -> bytes:
        seen.append(self.path)
        if self.path == photos[2].path:
            raise SystemExit
        return read(self)

    monkeypatch.setattr(BulkPhoto, "read", deadly)
    for _ in range(3):
        with pytest.raises(SystemExit):
            actor(photo_table(photos))
    rows = actor(photo_table(photos)).to_pylist()
    assert [row["status"] for row in rows] == ["ok", "ok", "error", "ok"]
    assert rows[2]["error"] == f"{photos[2].path}: its worker died 3 times"
    assert seen.count(photos[2].path) == 3
