from dataclasses import replace

import numpy as np
import pytest
import torch

from latentloop.faces import detection as reference
from latentloop.faces import find_faces, load_face_detector, looked_at_again
from latentloop.images import from_uint8
from latentloop.pixels import Pixels, read_pixels
from latentloop.runtime import Networks, detection, upright
from latentloop.runtime.area import AreaTable
from latentloop.runtime.arrays import Floats, to_image

PHOTOS = ["female-76.jpg", "male-81.jpg"]  # three faces, and one that is cut off by the photo's edge


def photo(name: str, *, size: int = 512) -> Pixels:
    from conftest import PHOTOS as FOLDER

    pixels = read_pixels(FOLDER / name)
    return np.ascontiguousarray(pixels[:: len(pixels) // size, :: len(pixels) // size])


def check_equal(found: detection.Faces, expected: reference.Faces) -> None:
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.boxes, expected.boxes.numpy(), rtol=0, atol=0.1)
    np.testing.assert_allclose(found.landmarks, expected.landmarks.numpy(), rtol=0, atol=0.1)
    np.testing.assert_allclose(found.scores, expected.scores.numpy(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", PHOTOS)
def test_faces_lie_where_pytorch_finds_them(name: str, networks: Networks) -> None:
    picture = photo(name)
    expected = load_face_detector().detect(from_uint8(picture))
    assert len(expected) >= 1
    check_equal(detection.detect(AreaTable.of_pixels(picture), networks), expected)
    check_equal(detection.detect(AreaTable.of_image(to_image(picture)), networks), expected)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_faces_are_found_as_pytorch_finds_them(turns: int, networks: Networks) -> None:
    turned = np.ascontiguousarray(np.rot90(photo("female-1.jpg"), turns))
    expected = find_faces(from_uint8(turned), load_face_detector())
    found = upright.find_faces(turned, networks)
    check_equal(found, expected)


def test_a_tilted_face_is_looked_at_again_as_pytorch_does(networks: Networks) -> None:
    from PIL import Image

    tilted = np.array(Image.fromarray(photo("female-1.jpg")).rotate(25, Image.Resampling.BICUBIC))
    detector, image = load_face_detector(), from_uint8(tilted)
    landmarks = find_faces(image, detector).landmarks[0]
    expected = looked_at_again(image, landmarks, detector)
    assert (expected - landmarks).abs().max() > 0.5  # so that there is something to compare
    found = upright.looked_at_again(tilted, landmarks.numpy(), networks)
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=0.1)


@pytest.mark.parametrize("shape", [(8, 8, 3), (12, 1300, 3)])
def test_pictures_that_can_show_no_face_are_not_looked_at(shape: tuple[int, int, int], networks: Networks) -> None:
    def propose(_: Floats) -> tuple[Floats, Floats]:
        pytest.fail("looked at")

    found = upright.find_faces(np.zeros(shape, np.uint8), replace(networks, propose=propose))
    assert (len(found), found.boxes.shape, found.landmarks.shape) == (0, (0, 4), (0, 5, 2))


def test_a_picture_without_a_face_has_none(networks: Networks) -> None:
    found = upright.find_faces(np.zeros((64, 64, 3), np.uint8), networks)
    assert (len(found), found.boxes.shape, found.landmarks.shape) == (0, (0, 4), (0, 5, 2))


@pytest.mark.parametrize("of_smaller", [False, True])
def test_overlapping_boxes_are_dropped_as_pytorch_drops_them(of_smaller: bool) -> None:
    randomness = np.random.default_rng(0)
    corner = randomness.uniform(0, 60, (200, 2)).astype(np.float32)
    boxes = np.concatenate([corner, corner + randomness.uniform(5, 40, (200, 2)).astype(np.float32)], axis=1)
    scores = randomness.uniform(size=200).astype(np.float32)
    expected = reference.non_maximum_suppression(
        torch.from_numpy(boxes), torch.from_numpy(scores), 0.5, of_smaller=of_smaller
    )
    found = detection.non_maximum_suppression(boxes, scores, 0.5, of_smaller=of_smaller)
    assert 1 < len(found) < 200
    assert found.tolist() == expected.tolist()
