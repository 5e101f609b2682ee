from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.faces import FaceDetector, align_faces, already_aligned, crop_quad, ffhq_quad, load_face_detector
from latentloop.images import read_image, resample


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return load_face_detector()


@pytest.fixture
def single(portrait: Path) -> Tensor:
    """A small photo of one person."""
    return resample(read_image(portrait), 256)


@pytest.fixture
def pair(single: Tensor, portrait: Path) -> Tensor:
    """Another person at the left, smaller, and the first at the right, larger."""
    other = resample(read_image(portrait.with_name("male-81.jpg")), 256)
    return torch.cat([other, single], dim=3)


@pytest.mark.parametrize(("face", "chosen"), [("largest", [0]), ("all", [0, 1]), ("1", [0]), ("2", [1])])
def test_the_faces_asked_for_are_aligned_as_ffhq_is(
    detector: FaceDetector, pair: Tensor, face: str, chosen: list[int]
) -> None:
    aligned = align_faces(pair, detector, 64, face=face)
    landmarks = detector.detect(pair).landmarks
    assert len(aligned) == len(chosen)
    for found, i in zip(aligned, chosen, strict=True):
        quad = ffhq_quad(landmarks[i])
        torch.testing.assert_close(found.quad, quad)
        torch.testing.assert_close(found.image, crop_quad(pair, quad, 64))


def test_the_largest_face_is_taken_unless_told_otherwise(detector: FaceDetector, pair: Tensor) -> None:
    (aligned,) = align_faces(pair, detector, 64)
    assert aligned.image.shape == (1, 3, 64, 64)
    assert (aligned.quad.mean(dim=0) > torch.tensor([256, 0])).all()


def test_in_an_aligned_image_the_face_is_where_ffhq_has_it(detector: FaceDetector, single: Tensor) -> None:
    (aligned,) = align_faces(single, detector, 256)
    left_eye, right_eye, *_ = detector.detect(aligned.image).landmarks[0]
    # The quad's side is four times the distance of the eyes, or less of them where the face is long; found to 2%.
    assert abs(left_eye[1] - right_eye[1]) < 5
    assert abs((left_eye[0] + right_eye[0]) / 2 - 127.5) < 5
    assert 55 < right_eye[0] - left_eye[0] < 69


def test_a_photo_without_a_face_is_refused(detector: FaceDetector) -> None:
    with pytest.raises(UserError, match="no face found; is it large enough, and seen from the front") as error:
        align_faces(torch.zeros(1, 3, 60, 60), detector, 64)
    assert error.value.arguments == ("aligned",)


@pytest.mark.parametrize("face", ["0", "2", "3", "99"])
def test_a_face_that_the_photo_does_not_have_is_refused(detector: FaceDetector, single: Tensor, face: str) -> None:
    with pytest.raises(UserError, match=rf"^no face {face}: the photo has 1 face$") as error:
        align_faces(single, detector, 64, face=face)
    assert error.value.arguments == ("face",)


def test_the_refusal_counts_the_faces(detector: FaceDetector, pair: Tensor) -> None:
    with pytest.raises(UserError, match=r"^no face 3: the photo has 2 faces$"):
        align_faces(pair, detector, 64, face="3")


def test_a_square_photo_taken_whole_is_itself(single: Tensor) -> None:
    aligned = already_aligned(single, 256)
    assert aligned.image is single
    # From the first pixel's outer edge to the last's.
    expected = [[-0.5, -0.5], [-0.5, 255.5], [255.5, 255.5], [255.5, -0.5]]
    torch.testing.assert_close(aligned.quad, torch.tensor(expected, dtype=torch.float64))


def test_a_large_square_photo_is_made_smaller_but_keeps_its_quad(single: Tensor) -> None:
    aligned = already_aligned(single, 128)
    torch.testing.assert_close(aligned.image, torch.nn.functional.avg_pool2d(single, 2))
    torch.testing.assert_close(aligned.quad, already_aligned(single, 256).quad)


def test_a_photo_that_is_not_square_is_not_taken_whole() -> None:
    message = "an aligned photo is square, this one is 40 x 30"
    with pytest.raises(UserError, match=rf"^{message}$"):
        already_aligned(torch.zeros(1, 3, 30, 40), 64)
