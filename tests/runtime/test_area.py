import numpy as np
import pytest
import torch.nn.functional as F

from latentloop.images import from_uint8
from latentloop.runtime.area import AreaTable
from latentloop.runtime.arrays import to_image


def pixels(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(7, 5), (40, 33), (39, 1), (60, 50)])
def test_a_picture_is_shrunk_by_area_as_pytorch_does(size: tuple[int, int]) -> None:
    picture = pixels(40, 33)
    expected = F.interpolate(from_uint8(picture), size, mode="area").numpy()
    for table in (AreaTable.of_pixels(picture), AreaTable.of_image(to_image(picture))):
        np.testing.assert_allclose(table.resized(*size), expected, rtol=0, atol=1e-6)


def test_parts_are_averages_of_their_own_pixels() -> None:
    picture = pixels(50, 60)
    boxes = np.array([[0, 0, 60, 50], [10, 20, 11, 21], [59, 49, 60, 50], [7, 3, 40, 9]])
    parts = AreaTable.of_pixels(picture).parts(boxes, 4, 6)
    for part, (left, top, right, bottom) in zip(parts, boxes, strict=True):
        window = from_uint8(np.ascontiguousarray(picture[top:bottom, left:right]))
        np.testing.assert_allclose(part, F.interpolate(window, (4, 6), mode="area")[0].numpy(), rtol=0, atol=1e-6)


def test_sums_beyond_32_bits_change_no_average() -> None:
    """Sums of a white picture of 17 million pixels are more than 2^32."""
    picture = np.full((4200, 4100, 3), 255, np.uint8)
    assert 4200 * 4100 * 255 > 2**32
    assert np.array_equal(AreaTable.of_pixels(picture).resized(50, 40), np.ones((1, 3, 50, 40), np.float32))
