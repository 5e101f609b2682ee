from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from latentloop.faces import align_faces, load_face_detector
from latentloop.features.mobilefacenet import MobileFaceNet, load_mobilefacenet
from latentloop.images import read_image, resample
from latentloop.metrics import identity_similarity


class Persons(NamedTuple):
    """Two aligned photos of 256 pixels, and the landmarks in them."""

    images: Tensor
    landmarks: Tensor


@pytest.fixture(scope="module")
def embed() -> MobileFaceNet:
    return load_mobilefacenet()


@pytest.fixture(scope="module")
def persons() -> Persons:
    detector, photos = load_face_detector(), Path(__file__).parents[2] / "examples" / "photos"
    images = []
    for name in ("female-1.jpg", "female-79.jpg"):
        images += [face.image for face in align_faces(resample(read_image(photos / name), 512), detector, 256)]
    landmarks = [detector.detect(image).landmarks[0] for image in images]
    return Persons(torch.cat(images), torch.stack(landmarks))


@pytest.mark.parametrize("with_landmarks", [True, False])
def test_a_face_is_wholly_similar_to_itself(embed: MobileFaceNet, persons: Persons, with_landmarks: bool) -> None:
    landmarks = persons.landmarks if with_landmarks else None
    similarity = identity_similarity(persons.images, persons.images, embed, landmarks)
    torch.testing.assert_close(similarity, torch.ones(2))


@pytest.mark.parametrize("with_landmarks", [True, False])
@pytest.mark.parametrize("change", ["brightened", "blurred"])
def test_a_person_is_more_like_a_changed_photo_of_their_own_than_like_another(
    embed: MobileFaceNet, persons: Persons, change: str, with_landmarks: bool
) -> None:
    images, landmarks = persons.images, persons.landmarks if with_landmarks else None
    blurred = torch.from_numpy(gaussian_filter(images.numpy(), [0, 0, 1.5, 1.5]))
    changed = blurred if change == "blurred" else (images + 0.15).clamp(-1, 1)
    own = identity_similarity(changed, images, embed, landmarks)
    other = identity_similarity(images.flip(0), images, embed, landmarks)
    assert own.min() > 0.8
    assert other.max() < 0.5
