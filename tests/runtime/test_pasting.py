import numpy as np
import pytest
import torch
import torch.nn.functional as F

from latentloop import faces
from latentloop.faces import FaceMask
from latentloop.images import from_uint8, to_uint8
from latentloop.runtime.alignment import crop_quad
from latentloop.runtime.arrays import Doubles, Floats
from latentloop.runtime.change import changed
from latentloop.runtime.cubic import Bicubic
from latentloop.runtime.pasting import Shape, paste_back
from quads import QUADS, picture


def edited(face: Floats) -> Floats:
    """A face with another colour in a part of it."""
    other = face.copy()
    other[:, :, face.shape[2] // 3 : face.shape[2] * 2 // 3, face.shape[3] // 3 :] *= -0.5
    return other


@pytest.mark.parametrize("shape", [(3, 20, 31), (1, 5, 5), (6, 40, 40)])
def test_bicubic_samples_are_those_of_pytorch(shape: tuple[int, int, int]) -> None:
    randomness = np.random.default_rng(0)
    image: Floats = randomness.uniform(-1, 1, shape).astype(np.float32)
    places: Floats = randomness.uniform(-0.1, 1.1, (20_000, 2)).astype(np.float32)
    grid = torch.from_numpy(2 * places - 1)[None, None]
    expected = F.grid_sample(
        torch.from_numpy(image)[None], grid, mode="bicubic", padding_mode="border", align_corners=False
    )
    np.testing.assert_allclose(Bicubic(image).at(places), expected[0, :, 0].T.numpy(), rtol=0, atol=3e-5)


@pytest.mark.parametrize("size", [128, 256, 200, 64])
def test_the_mask_of_a_change_is_that_of_pytorch(size: int) -> None:
    before = np.random.default_rng(0).uniform(-1, 1, (1, 3, size, size)).astype(np.float32)
    after = edited(before)
    expected = faces.changed(torch.from_numpy(before), torch.from_numpy(after))[0, 0].numpy()
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_allclose(changed(before, after), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("shape", ["face", "square"])
@pytest.mark.parametrize("size", [32, 256])
@pytest.mark.parametrize("quad", QUADS.values(), ids=QUADS.keys())
def test_faces_are_pasted_as_pytorch_does(quad: Doubles, size: int, shape: Shape) -> None:
    photo = picture()
    cut_out = crop_quad(photo, quad, size)
    face = edited(cut_out)
    where = changed(cut_out, face)
    expected = faces.paste_back(
        from_uint8(photo),
        torch.from_numpy(face),
        torch.from_numpy(quad),
        cut_out=torch.from_numpy(cut_out),
        where=torch.from_numpy(where)[None, None],
        mask=FaceMask(shape),
    )
    found = paste_back(photo, face, quad, cut_out, where=where, shape=shape)
    levels = np.abs(found.astype(int) - to_uint8(expected[0]).astype(int))
    assert levels.max() <= 1
    assert levels.mean() <= 0.01
    assert not np.array_equal(found, photo)
    assert np.array_equal(photo, picture())


def test_cut_outs_of_another_size_are_pasted_as_pytorch_does() -> None:
    photo, quad = picture(), QUADS["within"]
    cut_out, face = crop_quad(photo, quad, 256), edited(crop_quad(photo, quad, 64))
    expected = faces.paste_back(
        from_uint8(photo), torch.from_numpy(face), torch.from_numpy(quad), cut_out=torch.from_numpy(cut_out)
    )
    found = paste_back(photo, face, quad, cut_out)
    assert np.abs(found.astype(int) - to_uint8(expected[0]).astype(int)).max() <= 1


def test_a_face_beyond_the_photo_leaves_it_as_it_is() -> None:
    photo, quad = picture(), QUADS["within"] + 1000
    face = np.zeros((1, 3, 32, 32), np.float32)
    assert np.array_equal(paste_back(photo, face, quad, face), photo)


def test_nothing_changes_where_the_weights_are_0() -> None:
    photo, face = picture(), np.zeros((1, 3, 32, 32), np.float32)
    assert np.array_equal(paste_back(photo, face, QUADS["within"], face, where=np.zeros((128, 128), np.float32)), photo)
