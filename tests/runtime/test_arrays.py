import numpy as np
import pytest
import torch
import torch.nn.functional as F

from latentloop import images
from latentloop.runtime.arrays import Floats, resample, resize, to_image, to_pixels


def noise(*shape: int, seed: int = 0) -> Floats:
    """Numbers in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def test_pixels_become_the_image_that_pytorch_reads() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    assert np.array_equal(to_image(pixels), images.from_uint8(pixels).numpy())
    assert np.array_equal(to_pixels(to_image(pixels)), pixels)


def test_images_are_clamped_and_rounded_as_pytorch_does() -> None:
    image = 1.3 * noise(1, 3, 9, 4)
    assert np.array_equal(to_pixels(image), images.to_uint8(torch.from_numpy(image[0])))


@pytest.mark.parametrize("bicubic", [False, True])
@pytest.mark.parametrize("size", [(7, 5), (40, 30), (13, 64)])
def test_resize_is_the_antialiased_filter_of_pytorch(size: tuple[int, int], bicubic: bool) -> None:
    image = noise(2, 3, 40, 33)
    mode = "bicubic" if bicubic else "bilinear"
    expected = F.interpolate(torch.from_numpy(image), size, mode=mode, antialias=True)
    np.testing.assert_allclose(resize(image, *size, bicubic=bicubic), expected.numpy(), rtol=0, atol=1e-5)


def test_a_part_is_resized_as_it_is_within_the_whole() -> None:
    image = noise(1, 3, 60, 48)
    whole = resize(image, 20, 16)
    part = resize(image, 8, 5, box=(3 * 3, 2 * 3, 8 * 3, 10 * 3))
    np.testing.assert_allclose(part, whole[:, :, 2:10, 3:8], rtol=0, atol=1e-6)


@pytest.mark.parametrize("resolution", [32, 16, 8, 12, 48])
def test_resample_is_that_of_the_package(resolution: int) -> None:
    image = noise(2, 3, 32, 32)
    expected = images.resample(torch.from_numpy(image), resolution)
    np.testing.assert_allclose(resample(image, resolution), expected.numpy(), rtol=0, atol=1e-5)
