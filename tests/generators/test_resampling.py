import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from latentloop.generators.resampling import area_average, blur, upsample_image

Array = npt.NDArray[np.float64]
TAPS = np.array([1.0, 3.0, 3.0, 1.0])


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def filtered(plane: Array, before: int, after: int) -> Array:
    """One plane, black beyond its border, through the filter; its gain makes up for three zeros in four pixels."""
    padded = np.pad(plane, (before, after))
    size = len(padded) - 3
    out = np.zeros((size, size))
    for dy in range(4):
        for dx in range(4):
            out += TAPS[dy] * TAPS[dx] / 16 * padded[dy : dy + size, dx : dx + size]
    return out


def each_plane(images: Tensor, before: int, after: int) -> Tensor:
    planes = [filtered(plane.numpy(), before, after) for image in images for plane in image]
    size = planes[0].shape[-1]
    return torch.from_numpy(np.stack(planes)).reshape(*images.shape[:2], size, size)


def test_blurring_is_the_filter_at_each_pixel() -> None:
    x = randn(2, 3, 9, 9)
    torch.testing.assert_close(blur(x), each_plane(x, 1, 1), rtol=0, atol=1e-12)


def test_doubling_an_image_is_to_insert_zeros_and_filter_them() -> None:
    image = randn(2, 3, 5, 5)
    sparse = torch.zeros(2, 3, 10, 10, dtype=torch.float64)
    sparse[:, :, ::2, ::2] = image
    torch.testing.assert_close(upsample_image(image), each_plane(sparse, 2, 1), rtol=0, atol=1e-12)


def test_averaging_takes_the_mean_of_each_square() -> None:
    image = randn(1, 2, 6, 6)
    assert area_average(image, 2)[0, 1, 1, 0].item() == pytest.approx(image[0, 1, 3:, :3].mean().item())
    assert area_average(image, 6) is image
