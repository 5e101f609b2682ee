import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bulk_inputs import MakeOptions, SmallPhotos, TwoFaces
from latentloop.bulk import BulkOptions, BulkPhoto, find_bulk_photos, load_photo_coder
from latentloop.bulk.coder import TARGET, Row
from latentloop.embedding import Embedded, embed_files
from latentloop.embedding.options import FaceOptions
from latentloop.embedding.starts import NetworkStart
from latentloop.evaluation.measure import METRICS, load_evaluator
from latentloop.faces import fixed_crop
from latentloop.images import as_jpeg, decode_image, read_image, resample, write_png
from latentloop.latents import load_code
from latentloop.records.schema import CROP, RECONSTRUCTION

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"


@pytest.fixture
def photos(small_photos: SmallPhotos, small_network: tuple[Path, Path]) -> list[BulkPhoto]:
    """Five aligned photos that the small generator draws."""
    return find_bulk_photos([str(small_photos(small_network[0], 5))])


def codes_of(rows: list[Row]) -> np.ndarray:
    return np.stack([row["code"] for row in rows])


def stacked(rows: list[Row]) -> torch.Tensor:
    return torch.from_numpy(codes_of(rows).astype(np.float32)).reshape(len(rows), 6, 8)


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_codes_are_those_of_embed_in_one_pass(
    small_options: MakeOptions, photos: list[BulkPhoto], tmp_path: Path, batch: int
) -> None:
    options = small_options(batch=batch)
    rows = load_photo_coder(options).rows(photos)
    run = embed_files([photo.path for photo in photos], tmp_path / "out", options.embedding())
    names = [outcome.name for outcome in run.outcomes() if isinstance(outcome, Embedded)]
    wanted = [load_code(tmp_path / "out" / f"{name}.npz") for name in names]
    assert [row["path"] for row in rows] == [photo.path for photo in photos]
    assert codes_of(rows).dtype == np.float16
    for row, code in zip(rows, wanted, strict=True):
        found = torch.from_numpy(row["code"].astype(np.float32)).reshape(code.w_plus.shape)
        torch.testing.assert_close(found, code.w_plus, rtol=2**-10, atol=1e-3)
        np.testing.assert_array_equal(row["quad"].reshape(4, 2), code.quad.numpy())
        assert (row["width"], row["height"]) == code.original_size
        assert row["key"] == code.photo_sha256


def test_steps_are_those_of_embed(small_options: MakeOptions, photos: list[BulkPhoto], tmp_path: Path) -> None:
    options = small_options(steps=3)
    (row,) = load_photo_coder(options).rows(photos[:1])
    (outcome,) = embed_files([photos[0].path], tmp_path / "out", options.embedding()).outcomes()
    assert isinstance(outcome, Embedded)
    code = load_code(tmp_path / "out" / f"{outcome.name}.npz")
    assert row["steps"] == code.steps > 0
    assert row["loss"] == pytest.approx(float(code.losses.min()), rel=1e-5)
    np.testing.assert_allclose(row["code"], code.w_plus.flatten().numpy(), rtol=2**-10, atol=1e-3)


def test_figures_are_of_the_code_that_is_stored(small_options: MakeOptions, photos: list[BulkPhoto]) -> None:
    coder = load_photo_coder(small_options())
    rows = coder.rows(photos)
    generator, evaluator = coder.coder.setup.components.generator, load_evaluator()
    for row, photo in zip(rows, photos, strict=True):
        w_plus = torch.from_numpy(row["code"].astype(np.float32)).reshape(1, generator.num_ws, generator.w_dim)
        target = resample(read_image(photo.path), 32)
        (wanted,) = evaluator.measure(generator.synthesis(w_plus).detach(), target)
        assert {name: row[name] for name in METRICS} == pytest.approx(wanted, rel=1e-3, abs=1e-5)
        person = torch.nn.functional.normalize(evaluator.face_embedder(fixed_crop(target)), dim=1)[0]
        np.testing.assert_allclose(row["identity"], person.detach().numpy(), atol=2e-3)


def test_without_figures_nothing_is_drawn(small_options: MakeOptions, photos: list[BulkPhoto]) -> None:
    coder = load_photo_coder(small_options(figures=False))
    coder.coder.setup.components.generator.synthesis = None  # type: ignore[assignment, method-assign]
    rows = coder.rows(photos)
    assert len(rows) == 5
    assert not set(METRICS) & rows[0].keys()
    np.testing.assert_array_equal(codes_of(rows), codes_of(load_photo_coder(small_options()).rows(photos)))


def test_pictures_show_the_face_and_what_the_code_draws(small_options: MakeOptions, photos: list[BulkPhoto]) -> None:
    coder = load_photo_coder(small_options(pictures=True))
    rows = coder.rows(photos)
    for name, shown in (
        (CROP, [resample(read_image(photo.path), 32) for photo in photos]),
        (RECONSTRUCTION, list(coder.coder.setup.components.generator.synthesis(stacked(rows)).split(1))),
    ):
        found = torch.cat([decode_image(row[name], name) for row in rows])
        torch.testing.assert_close(found, torch.cat([as_jpeg(one, quality=90) for one in shown]), rtol=0, atol=0.05)


def test_what_cannot_be_used_is_a_row_that_tells_why(small_options: MakeOptions, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    photos = find_bulk_photos([str(tmp_path / "text.jpg"), str(tmp_path / "gone.jpg")])
    rows = load_photo_coder(small_options()).rows(photos)
    assert [(row["status"], row["face"], row["faces"]) for row in rows] == [("error", 0, 0)] * 2
    assert rows[0]["key"] == hashlib.sha256(b"no image").hexdigest()
    assert rows[1]["key"] is None
    assert "text.jpg: not an image" in rows[0]["error"]
    assert "gone.jpg: no such file" in rows[1]["error"]


def test_faces_are_found_and_numbered(small_options: MakeOptions, tmp_path: Path) -> None:
    both = torch.cat([read_image(PHOTOS / f"{name}.jpg")[..., ::4, ::4] for name in ("female-1", "male-23")], dim=3)
    write_png(tmp_path / "both.png", both)
    write_png(tmp_path / "none.png", torch.zeros(3, 64, 64))
    photos = find_bulk_photos([str(tmp_path / "both.png"), str(tmp_path / "none.png")])
    rows = load_photo_coder(small_options(faces=FaceOptions(face="all"))).rows(photos)
    assert [(row["face"], row["faces"], row["status"]) for row in rows] == [(1, 2, "ok"), (2, 2, "ok"), (0, 0, "error")]
    assert "none.png" in rows[2]["error"]
    assert "no face found" in rows[2]["error"]
    for row in rows[:2]:
        left, top, right, bottom = row["box"]
        eye = row["landmarks"].reshape(5, 2)[0]
        assert left < eye[0] < right
        assert top < eye[1] < bottom
        assert 0.9 < row["score"] <= 1
    assert abs(rows[0]["box"][0] - rows[1]["box"][0]) > 100


@pytest.mark.parametrize("error", [RuntimeError("not enough memory: you tried to allocate"), MemoryError()])
def test_a_face_that_memory_does_not_hold_fails_alone(
    small_options: MakeOptions, photos: list[BulkPhoto], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    coder = load_photo_coder(small_options(batch=4))
    whole: Callable[..., torch.Tensor] = NetworkStart.codes
    bad = resample(read_image(photos[1].path), 32)

    def short_of_memory(self: NetworkStart, target: torch.Tensor, starts: object) -> torch.Tensor:
        if any(torch.equal(one[None], bad) for one in target):
            raise error
        return whole(self, target, starts)

    monkeypatch.setattr(NetworkStart, "codes", short_of_memory)
    rows = coder.rows(photos)
    assert [row["status"] for row in rows] == ["ok", "error", "ok", "ok", "ok"]
    assert rows[1]["error"].endswith("not enough memory to find its code")


def test_a_face_that_fails_keeps_its_number_and_its_place(
    small_options: MakeOptions, two_faces: TwoFaces, photos: list[BulkPhoto]
) -> None:
    two_faces(photos[1])
    rows = load_photo_coder(small_options()).rows(photos[:2])
    first, second = (photo.path for photo in photos[:2])
    known = [(row["path"], row["face"], row["faces"], row["status"]) for row in rows]
    assert known == [(first, 1, 2, "ok"), (first, 2, 2, "ok"), (second, 1, 2, "ok"), (second, 2, 2, "error")]
    assert rows[3]["error"] == f"{second}:2: not enough memory to find its code"
    assert rows[3]["width"] == rows[2]["width"]
    np.testing.assert_array_equal(rows[3]["quad"], rows[2]["quad"])
    assert not {"code", "identity", *METRICS} & rows[3].keys()


def test_a_code_that_is_not_finite_is_an_error_of_its_face(
    small_options: MakeOptions, photos: list[BulkPhoto], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NetworkStart, "codes", lambda _, target, __: torch.full((len(target), 6, 8), torch.nan))
    rows = load_photo_coder(small_options()).rows(photos)
    assert {row["error"] for row in rows} == {
        f"{photo.path}: the code of its network is not finite" for photo in photos
    }


def test_finding_and_embedding_apart_are_the_same(small_options: MakeOptions, photos: list[BulkPhoto]) -> None:
    coder = load_photo_coder(small_options())
    found = coder.finder.rows(photos)
    assert all(isinstance(row[TARGET], bytes) for row in found)
    np.testing.assert_array_equal(codes_of(coder.coder.rows(found)), codes_of(coder.rows(photos)))
    assert all(TARGET not in row for row in coder.coder.rows(found))


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="quality must be one of"):
        BulkOptions(quality="fine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rows must be 1 or more"):
        BulkOptions(rows=0)
    with pytest.raises(ValueError, match="workers must be 1 or more"):
        BulkOptions(workers=0)
    with pytest.raises(ValueError, match="pictures"):
        BulkOptions(pictures=True, figures=False)
