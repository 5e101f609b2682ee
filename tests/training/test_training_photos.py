import gc
import hashlib
import io
import os
import shutil
import tarfile
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentloop.errors import UserError
from latentloop.images import decode_image, read_image
from latentloop.photos.sources import PhotoSource, photos_in_tar
from latentloop.training import photo_store, photos
from latentloop.training.photo_store import PhotoStore, make_store
from latentloop.training.photos import PhotoSet, indices_of_batch, weights_of

ToyPhotos = Callable[..., list[Path]]


def sources(paths: list[Path]) -> list[PhotoSource]:
    return [PhotoSource(path) for path in paths]


def pack(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_photos_come_with_the_hashes_of_their_contents(toy_photos: ToyPhotos) -> None:
    paths = toy_photos(3)
    images, keys = PhotoSet(sources(paths), 32).load([2, 0])
    torch.testing.assert_close(images, torch.cat([read_image(paths[2]), read_image(paths[0])]))
    assert keys == [hashlib.sha256(paths[i].read_bytes()).digest() for i in (2, 0)]


def test_a_photo_in_a_tar_file_is_the_photo_itself(toy_photos: ToyPhotos, tmp_path: Path) -> None:
    paths = toy_photos(3)
    files = {f"000{i}.png": path.read_bytes() for i, path in enumerate(paths)}
    tar = pack(tmp_path / "shard.tar", {"0000.json": b"{}", **files, "folder/0003.PNG": files["0000.png"]})
    packed = photos_in_tar(tar)
    assert [source.member for source in packed] == ["0000.png", "0001.png", "0002.png", "folder/0003.PNG"]
    images, keys = PhotoSet(packed, 32).load(range(4))
    expected, names = PhotoSet(sources(paths), 32).load([0, 1, 2, 0])
    assert torch.equal(images, expected)
    assert keys == names


def test_all_photos_become_one_size(toy_photos: ToyPhotos, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    Image.new("RGB", (100, 100), "red").save(large)
    images, _ = PhotoSet(sources([*toy_photos(1), large]), 16).load([0, 1])
    assert images.shape == (2, 3, 16, 16)


def test_bad_photos_are_skipped_and_named(toy_photos: ToyPhotos, picture: Callable[..., Path], tmp_path: Path) -> None:
    good, missing, wide = toy_photos(2), tmp_path / "missing.png", picture()
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(good[0].read_bytes()[:100])
    photos = PhotoSet(sources([good[0], missing, wide, damaged, good[1]]), 32)
    images, _ = photos.load(range(5))
    expected, _ = PhotoSet(sources(good), 32).load([0, 1, 1, 1, 1])
    assert torch.equal(images, expected)
    assert list(photos.skipped) == [str(missing), str(wide), str(damaged)]
    assert "no such file" in photos.skipped[str(missing)]
    assert "it is 40 x 30; training takes square, aligned photos" in photos.skipped[str(wide)]


def test_without_a_good_photo_there_is_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no photos to learn from"):
        PhotoSet([], 32)
    with pytest.raises(UserError, match=r"none of 2 photos can be used; the first: .*a\.png: no such file"):
        PhotoSet(sources([tmp_path / "a.png", tmp_path / "b.png"]), 32).load([1, 0][::-1])


def test_a_damaged_member_is_skipped_and_an_epoch_keeps_no_photo(tmp_path: Path) -> None:
    # Noise, 83 KB of pixels and as much in the file: twenty photos are far more than other threads and imports keep.
    noise, content = np.random.default_rng(0).integers(0, 256, (166, 166, 3), dtype=np.uint8), io.BytesIO()
    Image.fromarray(noise).save(content, "png", compress_level=0)
    files = {f"{i:04}.png": content.getvalue() for i in range(60)}
    tars = [pack(tmp_path / f"{i}.tar", files | {"0007.png": b"damaged"}) for i in range(3)]
    packed = PhotoSet([source for tar in tars for source in photos_in_tar(tar)], 166)

    def epoch() -> int:
        for step in range(18):
            packed.load(indices_of_batch(180, 10, step, seed=0))
        gc.collect()
        return sum(type(one) is torch.Tensor for one in gc.get_objects())

    before = epoch()
    assert sorted(packed.skipped) == [f"{tar}:0007.png" for tar in tars]
    assert all("\n" not in reason for reason in packed.skipped.values())
    tracemalloc.start()
    after = epoch()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after == before
    assert kept < 20 * noise.nbytes  # the 180 photos of an epoch are 15 MB


@pytest.mark.parametrize("mode", ["w:gz", None])
def test_what_is_no_plain_tar_file_is_refused(tmp_path: Path, mode: str | None) -> None:
    path = tmp_path / "shard.tar"
    if mode:
        pack(path, {"a.png": b"1"}, mode)
    else:
        path.write_text("text " * 1000)
    with pytest.raises(UserError, match=r"shard\.tar: cannot read it as an uncompressed tar file"):
        photos_in_tar(path)


def test_a_tar_file_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"shard\.tar: no photos in this tar file"):
        photos_in_tar(pack(tmp_path / "shard.tar", {"a.json": b"{}"}))


def test_names_that_are_not_utf_8_have_digests_too(toy_photos: ToyPhotos, tmp_path: Path) -> None:
    (photo,) = toy_photos(1)
    digests = []
    for name in (b"a\xff.png", b"a\xfe.png"):
        shutil.copy(photo, tmp_path / os.fsdecode(name))
        digests.append(PhotoSet([PhotoSource(tmp_path / os.fsdecode(name))], 32).digest())
    assert digests[0] != digests[1]


def test_other_photos_of_the_same_number_make_another_digest(toy_photos: ToyPhotos, tmp_path: Path) -> None:
    one, other = (PhotoSet(sources([path]), 16) for path in toy_photos(2))
    assert one.digest() == PhotoSet(one.sources, 32).digest() != other.digest()
    tar = pack(tmp_path / "shard.tar", {path.name: path.read_bytes() for path in toy_photos(2)})
    assert len({PhotoSet([source], 16).digest() for source in photos_in_tar(tar)}) == 2


@pytest.mark.parametrize(("count", "batch"), [(7, 3), (5, 5), (2, 5), (1, 1)])
def test_an_epoch_has_every_photo_once(count: int, batch: int) -> None:
    seen = [i for step in range(3 * count) for i in indices_of_batch(count, batch, step, seed=1)]
    for epoch in range(len(seen) // count):
        assert Counter(seen[epoch * count : (epoch + 1) * count]) == Counter(range(count))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first, second = (indices_of_batch(50, 50, step, seed=1) for step in range(2))
    assert first != second
    assert first != indices_of_batch(50, 50, 0, seed=2)
    assert first == indices_of_batch(50, 50, 0, seed=1)


def test_photos_are_chosen_as_often_as_they_weigh() -> None:
    weights = [1.0, 0.2, 0.0, 2.0]
    chosen = [i for step in range(2000) for i in indices_of_batch(4, 5, step, seed=1, weights=weights)]
    found = [chosen.count(i) / len(chosen) * sum(weights) for i in range(4)]
    assert found == pytest.approx(weights, abs=0.05)
    assert indices_of_batch(4, 5, 7, seed=1, weights=weights) == chosen[35:40]


def test_weights_are_those_of_texts_in_paths() -> None:
    given = [PhotoSource(Path("faces/a.png")), PhotoSource(Path("all.tar"), "celeba-1.jpg"), PhotoSource(Path("b.png"))]
    assert weights_of(given, {"all": 3.0, "celeba": 0.2, "faces": 0}) == [0, 0.2, 1]
    with pytest.raises(UserError, match="no photo to learn from has 'ffhq' in its path"):
        weights_of(given, {"ffhq": 1.0})
    with pytest.raises(UserError, match="all photos have weight 0"):
        weights_of(given[:1], {"a": 0})


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the photos that are decoded."""
    names: list[str] = []

    def counted(content: bytes, name: str) -> torch.Tensor:
        names.append(name)
        return decode_image(content, name)

    monkeypatch.setattr(photos, "decode_image", counted)
    return names


@pytest.mark.parametrize(("room", "reads"), [(5, 5), (3, 9), (0, 15)])
def test_what_there_is_room_for_is_decoded_once(
    toy_photos: ToyPhotos, tmp_path: Path, decoded: list[str], room: int, reads: int
) -> None:
    """Over three epochs, one of them a photo that is replaced by the next one."""
    bad = tmp_path / "bad.png"
    paths = [*toy_photos(5), bad]
    bad.write_bytes(b"no image")
    kept = PhotoSet(sources(paths), 16, store=PhotoStore(room, 16))
    plain = PhotoSet(sources(paths), 16)
    for _ in range(3):
        images, keys = kept.load([3, 1, 0, 2, 4])
        expected, names = plain.load([3, 1, 0, 2, 4])
        assert torch.equal(images, expected)
        assert keys == names
    assert len(decoded) == reads + 15
    decoded.clear()
    assert torch.equal(kept.load([5])[0], kept.load([0])[0])
    assert decoded.count(str(bad)) == 1


def test_a_photo_that_comes_twice_in_a_batch_is_decoded_once(toy_photos: ToyPhotos, decoded: list[str]) -> None:
    images, _ = PhotoSet(sources(toy_photos(2)), 32).load([1, 0, 1])
    assert torch.equal(images[0], images[2])
    assert len(decoded) == 2


def test_a_quarter_of_the_memory_is_for_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_store, "host_memory", lambda: 4 * 3 * 16 * 16 * 10)
    rooms = {count: make_store("memory", count, 16, torch.device("cpu")) for count in (7, 10, 30)}
    assert {count: store and store.room for count, store in rooms.items()} == {7: 7, 10: 10, 30: 10}
    shared = make_store("memory", 30, 16, torch.device("cpu"), processes=2)
    assert shared is not None
    assert shared.room == 5
    assert make_store("disk", 7, 16, torch.device("cpu")) is None


@pytest.mark.cuda
def test_photos_on_a_gpu_are_those_on_the_disk(toy_photos: ToyPhotos) -> None:
    paths, cuda = toy_photos(4), torch.device("cuda")
    expected, _ = PhotoSet(sources(paths), 16).load([2, 0, 3])
    for store in (make_store("device", 4, 16, cuda), make_store("memory", 4, 16, cuda)):
        photos = PhotoSet(sources(paths), 16, store=store, device=cuda)
        for _ in range(2):
            images = photos.load([2, 0, 3])[0]
            assert images.is_cuda
            torch.testing.assert_close(images.cpu(), expected)
    with pytest.raises(UserError, match="too much for cuda"):
        make_store("device", 1 << 40, 16, cuda)
