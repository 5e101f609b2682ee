import math

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.faces import fixed_crop, landmark_crop

# InsightFace's five points for a crop of 112 pixels, copied here so that a change in the package is seen.
ARCFACE = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def pooled(image: np.ndarray[tuple[int, ...], np.dtype[np.float64]], size: int) -> Tensor:
    """Averages (N, 3, size, size): output i is the mean of inputs floor(i n / size) to ceil((i + 1) n / size)."""
    n = image.shape[-1]
    spans = [slice(i * n // size, -((i + 1) * -n // size)) for i in range(size)]
    rows = [[image[:, :, y, x].mean(axis=(2, 3)) for x in spans] for y in spans]
    return torch.from_numpy(np.array(rows).transpose(2, 3, 0, 1))


@pytest.mark.parametrize("size", [256, 512])
def test_the_fixed_crop_is_that_of_psp(size: int) -> None:
    image = randn(2, 3, size, size)
    at_256 = image.numpy().reshape(2, 3, 256, size // 256, 256, size // 256).mean(axis=(3, 5))
    torch.testing.assert_close(fixed_crop(image), pooled(at_256[:, :, 35:223, 32:220], 112), rtol=0, atol=1e-12)


def spots(points: Tensor, size: int) -> Tensor:
    """One image for each point with a soft white spot there, (P, 3, size, size)."""
    axis = torch.arange(size, dtype=torch.float64)
    x, y = points[:, 0, None, None], points[:, 1, None, None]
    distance = (axis[None, None, :] - x).square() + (axis[None, :, None] - y).square()
    return torch.exp(-distance / (2 * 4**2))[:, None].expand(-1, 3, -1, -1)


def centre_of_mass(image: Tensor) -> list[float]:
    """(x, y) of an image (3, S, S)."""
    weight, axis = image[0] / image[0].sum(), torch.arange(image.shape[-1], dtype=image.dtype)
    return [(weight.sum(dim=0) @ axis).item(), (weight.sum(dim=1) @ axis).item()]


@pytest.mark.parametrize(("angle", "scale"), [(0.0, 1.0), (0.3, 1.5), (-0.5, 1.2)])
def test_the_landmark_crop_puts_landmarks_where_arcface_has_them(angle: float, scale: float) -> None:
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    turn = torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)
    landmarks = (torch.tensor(ARCFACE, dtype=torch.float64) - 56) @ turn + 130
    crops = landmark_crop(spots(landmarks, 256), landmarks.expand(5, -1, -1))
    assert crops.shape == (5, 3, 112, 112)
    for crop, point in zip(crops, ARCFACE, strict=True):
        assert centre_of_mass(crop) == pytest.approx(point, abs=0.01)


def test_each_image_is_cropped_by_its_own_landmarks() -> None:
    image, landmarks = randn(2, 3, 256, 256), torch.tensor([ARCFACE, ARCFACE], dtype=torch.float64)
    landmarks[1] += 10
    crops = landmark_crop(image, landmarks)
    torch.testing.assert_close(crops[0], image[0, :, :112, :112], rtol=0, atol=1e-9)
    torch.testing.assert_close(crops[1], image[1, :, 10:122, 10:122], rtol=0, atol=1e-9)


def test_landmarks_are_in_the_images_own_pixels() -> None:
    small, landmarks = randn(1, 3, 256, 256), torch.tensor([ARCFACE], dtype=torch.float64)
    large = small.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    moved = 4 * (landmarks + 0.5) - 0.5
    torch.testing.assert_close(landmark_crop(large, moved), landmark_crop(small, landmarks), rtol=0, atol=1e-9)
