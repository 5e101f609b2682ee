"""The files of an edited photo, by the bundled networks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import PHOTOS
from latentloop.embedding.options import FaceOptions
from latentloop.image_info import colour_profile
from latentloop.latents import load_code
from latentloop.lite.edit_job import EditJob
from latentloop.lite.options import LiteEditOptions
from latentloop.photo_editing.claims import Claims
from latentloop.pixels import read_pixels
from latentloop.runtime import Networks, Runtime
from latentloop.runtime.arrays import Floats


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small photo with two faces, and a colour profile."""
    path = tmp_path / "photo.png"
    with Image.open(PHOTOS / "female-76.jpg") as image:
        Image.fromarray(np.asarray(image)[::2, ::2]).save(path, icc_profile=b"a profile")
    return path


def job(networks: Networks, out: Path, faces: FaceOptions, warned: list[str], *, strip: bool = False) -> EditJob:
    options = LiteEditOptions(strip=strip)
    return EditJob({"smile": 1.0}, options, Runtime(networks), faces, Claims(out), warn=warned.append)


def test_a_photo_is_written_with_its_profile_its_face_and_its_code(
    networks: Networks, photo: Path, tmp_path: Path
) -> None:
    out, warned = tmp_path / "out", list[str]()
    (picture, strip) = job(networks, out, FaceOptions(), warned, strip=True).results(photo)
    assert (picture, strip) == (out / "photo-smile1.png", out / "strips/photo-smile1.png")
    assert colour_profile(picture) == b"a profile"
    assert colour_profile(out / "faces/photo-smile1.png") is None
    before, after = read_pixels(photo), read_pixels(picture)
    assert after.shape == before.shape
    code = load_code(out / "photo-smile1.npz")
    assert code.original_size == (512, 512)
    low, high = code.quad.numpy().min(axis=0), code.quad.numpy().max(axis=0)
    rows, columns = np.nonzero((before != after).any(axis=-1))
    assert len(rows) > 1000
    assert (low <= [columns.min(), rows.min()]).all()
    assert (high >= [columns.max(), rows.max()]).all()
    assert read_pixels(strip).shape == (278, 6 * 256, 3)
    assert warned == []


def test_every_face_has_files_of_its_own(networks: Networks, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    list(job(networks, out, FaceOptions(face="all"), []).results(photo))
    names = {"photo-smile1.png", *(f"photo-smile1-face{i}.npz" for i in (1, 2)), "faces"}
    assert {path.name for path in out.iterdir()} == names
    assert {path.name for path in (out / "faces").iterdir()} == {f"photo-smile1-face{i}.png" for i in (1, 2)}


def test_a_code_that_is_another_face_is_warned_of(networks: Networks, photo: Path, tmp_path: Path) -> None:
    def average(image: Floats) -> Floats:
        return 0 * networks.embed(image)

    warned = list[str]()
    list(job(replace(networks, embed=average), tmp_path / "out", FaceOptions(), warned).results(photo))
    assert len(warned) == 1
    assert warned[0].startswith("photo: a rough code (ID ")
