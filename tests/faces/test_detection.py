from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentloop.faces import FaceDetector, Faces, load_face_detector
from latentloop.faces.detection import non_maximum_suppression
from latentloop.images import read_image, resample

PHOTOS = sorted((Path(__file__).parents[2] / "examples" / "photos").glob("*.jpg"))
# Pupils, tip of the nose and corners of the mouth as a person saw them in the magnified photos.
SEEN = {
    "female-1.jpg": [[459, 336], [598, 338], [530, 412], [467, 467], [591, 470]],
    "male-81.jpg": [[450, 176], [565, 176], [505, 222], [462, 285], [555, 284]],
}


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return load_face_detector()


@pytest.fixture
def small(portrait: Path) -> Tensor:
    """A photo of 256 pixels, the face in it 67 wide."""
    return resample(read_image(portrait), 256)


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def width_of(faces: Faces) -> float:
    """Of the largest."""
    return float(faces.boxes[0, 2] - faces.boxes[0, 0])


@pytest.mark.parametrize("photo", PHOTOS, ids=[photo.stem for photo in PHOTOS])
def test_the_face_of_each_sample_photo_is_found(detector: FaceDetector, photo: Path) -> None:
    faces = detector.detect(resample(read_image(photo), 512))
    assert len(faces) >= 1
    assert 0.99 < faces.scores[0] <= 1
    left, top, right, bottom = faces.boxes[0].tolist()
    assert 100 < right - left < bottom - top < 350
    left_eye, right_eye, nose, left_mouth, right_mouth = faces.landmarks[0].tolist()
    assert left < left_eye[0] < nose[0] < right_eye[0] < right
    assert left < left_mouth[0] < right_mouth[0] < right
    assert top < min(left_eye[1], right_eye[1])
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert max(left_mouth[1], right_mouth[1]) < bottom


@pytest.mark.parametrize("name", SEEN)
def test_landmarks_are_where_a_person_sees_them(detector: FaceDetector, portrait: Path, name: str) -> None:
    faces = detector.detect(read_image(portrait.with_name(name)))
    seen = torch.tensor(SEEN[name], dtype=torch.float32)
    assert (faces.landmarks[0] - seen).norm(dim=1).max() < 0.04 * width_of(faces)


def test_every_face_has_a_box_five_landmarks_and_a_score(detector: FaceDetector, small: Tensor) -> None:
    faces = detector.detect(small)
    assert (faces.boxes.shape, faces.landmarks.shape, faces.scores.shape) == ((1, 4), (1, 5, 2), (1,))


@pytest.mark.parametrize("seed", range(2))
def test_no_face_is_found_in_noise(detector: FaceDetector, seed: int) -> None:
    assert len(detector.detect(noise(120, 160, seed))) == 0


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.7, 1.0])
def test_no_face_is_found_in_one_colour(detector: FaceDetector, value: float) -> None:
    faces = detector.detect(torch.full((1, 3, 120, 160), value))
    assert (faces.boxes.shape, faces.landmarks.shape, faces.scores.shape) == ((0, 4), (0, 5, 2), (0,))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 5), (12, 30), (30, 12), (1, 100), (20, 20)])
def test_a_tiny_image_is_searched_too(detector: FaceDetector, height: int, width: int) -> None:
    assert len(detector.detect(noise(height, width))) == 0


@pytest.mark.parametrize(("height", "width"), [(1, 2000), (2000, 1), (20, 3000)])
def test_what_can_show_no_face_is_not_even_looked_at(detector: FaceDetector, height: int, width: int) -> None:
    seen: list[Tensor] = []
    hook = detector.networks.propose.register_forward_pre_hook(lambda _, given: seen.extend(given))
    assert len(detector.detect(torch.zeros(1, 3, height, width))) == 0
    hook.remove()
    assert not seen


def test_a_face_that_fills_a_tiny_image_is_found(detector: FaceDetector, small: Tensor) -> None:
    face = resample(small[:, :, 40:150, 77:187], 24)
    assert len(detector.detect(face)) == 1


@pytest.mark.parametrize("larger_first", [True, False])
def test_of_two_faces_the_larger_comes_first(detector: FaceDetector, small: Tensor, larger_first: bool) -> None:
    other = resample(read_image(PHOTOS[-1]), 160)
    beside = torch.zeros(1, 3, 256, 160)
    beside[:, :, 48:208] = other
    parts = [small, beside] if larger_first else [beside, small]
    faces = detector.detect(torch.cat(parts, dim=3))
    assert len(faces) == 2
    assert (faces.landmarks[0, :, 0] < 256).all() if larger_first else (faces.landmarks[0, :, 0] >= 160).all()
    sizes = faces.boxes[:, 2:] - faces.boxes[:, :2]
    assert sizes[0].prod() > sizes[1].prod()


@pytest.mark.parametrize(("x", "y"), [(40, 10), (7, 63)])
def test_landmarks_move_with_the_photo(detector: FaceDetector, small: Tensor, x: int, y: int) -> None:
    canvas = torch.zeros(1, 3, 330, 310)
    canvas[:, :, y : y + 256, x : x + 256] = small
    here, there = detector.detect(small), detector.detect(canvas)
    shift = (there.landmarks[0] - here.landmarks[0]) - torch.tensor([x, y])
    assert shift.norm(dim=1).mean() < 0.02 * width_of(here)


def test_landmarks_grow_with_the_photo(detector: FaceDetector, small: Tensor, portrait: Path) -> None:
    faces = detector.detect(resample(read_image(portrait), 512))
    # A pixel's centre at x lies at 2 x + 0.5 in an image of twice the size.
    grown = 2 * detector.detect(small).landmarks[0] + 0.5
    assert (grown - faces.landmarks[0]).norm(dim=1).max() < 0.04 * width_of(faces)


@pytest.mark.parametrize("differentiable", [True, False])
def test_gradients_wanted_or_not_do_not_change_what_is_found(
    detector: FaceDetector, small: Tensor, differentiable: bool
) -> None:
    expected = detector.detect(small)
    with torch.set_grad_enabled(differentiable):
        faces = detector.detect(small.clone().requires_grad_(differentiable))
    assert not faces.landmarks.requires_grad
    for found, before in zip(
        (faces.boxes, faces.landmarks, faces.scores), (expected.boxes, expected.landmarks, expected.scores), strict=True
    ):
        assert found.equal(before)


def test_the_photo_is_not_written_to(detector: FaceDetector, small: Tensor) -> None:
    before = small.clone()
    detector.detect(small)
    assert small.equal(before)


def covered(box: list[float], other: list[float], *, of_smaller: bool) -> float:
    """The share of two boxes that they have in common; their last pixels are inside."""
    areas = [(right - left + 1) * (bottom - top + 1) for left, top, right, bottom in (box, other)]
    wide = min(box[2], other[2]) - max(box[0], other[0]) + 1
    high = min(box[3], other[3]) - max(box[1], other[1]) + 1
    shared = max(wide, 0) * max(high, 0)
    return shared / (min(areas) if of_smaller else sum(areas) - shared)


def best_boxes(boxes: Tensor, scores: Tensor, overlap: float, *, of_smaller: bool) -> list[int]:
    kept: list[int] = []
    places = boxes.tolist()
    for candidate in sorted(range(len(places)), key=lambda i: -scores[i].item()):
        if all(covered(places[candidate], places[i], of_smaller=of_smaller) <= overlap for i in kept):
            kept.append(candidate)
    return kept


@pytest.mark.parametrize("of_smaller", [True, False])
@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_overlapping_boxes_are_dropped_as_by_a_double_loop(seed: int, overlap: float, of_smaller: bool) -> None:
    randomness = torch.Generator().manual_seed(seed)
    corners = torch.rand(60, 2, generator=randomness, dtype=torch.float64) * 40
    sizes = torch.rand(60, 2, generator=randomness, dtype=torch.float64) * 30
    boxes, scores = torch.cat([corners, corners + sizes], dim=1), torch.rand(60, generator=randomness)
    expected = best_boxes(boxes, scores, overlap, of_smaller=of_smaller)
    assert non_maximum_suppression(boxes, scores, overlap, of_smaller=of_smaller).tolist() == expected


def test_a_box_inside_another_is_dropped_only_by_its_share_of_the_smaller() -> None:
    boxes, scores = torch.tensor([[0.0, 0, 99, 99], [40, 40, 49, 49]]), torch.tensor([0.8, 0.9])
    assert non_maximum_suppression(boxes, scores, 0.7).tolist() == [1, 0]
    assert non_maximum_suppression(boxes, scores, 0.7, of_smaller=True).tolist() == [1]


def test_of_no_boxes_none_are_kept() -> None:
    assert non_maximum_suppression(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []
