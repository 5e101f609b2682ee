import numpy as np
import pytest
import torch

from latentloop import faces
from latentloop.images import from_uint8
from latentloop.runtime.alignment import crop_quad, ffhq_quad, full_quad
from latentloop.runtime.arrays import Doubles
from quads import QUADS, picture


@pytest.mark.parametrize("seed", range(4))
def test_quads_are_those_of_pytorch(seed: int) -> None:
    landmarks = np.random.default_rng(seed).uniform(0, 100, (5, 2)).astype(np.float32)
    expected = faces.ffhq_quad(torch.from_numpy(landmarks)).numpy()
    np.testing.assert_allclose(ffhq_quad(landmarks), expected, rtol=1e-12)


def test_the_quad_of_a_whole_picture_is_that_of_pytorch() -> None:
    assert np.array_equal(full_quad(256), faces.full_image_quad(256).numpy())


@pytest.mark.parametrize("size", [16, 64, 200])
@pytest.mark.parametrize("quad", QUADS.values(), ids=QUADS.keys())
def test_crops_are_those_of_pytorch(quad: Doubles, size: int) -> None:
    """Of 16 pixels most are crops of a shrunk photo, of 200 enlarged ones."""
    photo = picture()
    expected = faces.crop_quad(from_uint8(photo), torch.from_numpy(quad), size).numpy()
    levels = 127.5 * np.abs(crop_quad(photo, quad, size) - expected)
    assert levels.mean() <= 0.01
    assert levels.max() <= 0.3


def test_a_crop_changes_no_photo() -> None:
    photo = picture()
    crop_quad(photo, QUADS["over two edges"], 64)
    assert np.array_equal(photo, picture())
