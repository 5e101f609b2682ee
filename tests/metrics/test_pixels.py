import math

import pytest
import torch

from latentloop.metrics import mse, psnr


@pytest.mark.parametrize("offset", [0.02, 0.2, 2.0])
def test_a_constant_error_has_the_psnr_of_its_square(offset: float) -> None:
    image = torch.full((2, 3, 8, 8), -1.0, dtype=torch.float64)
    expected = torch.full((2,), 20 * math.log10(2 / offset), dtype=torch.float64)
    torch.testing.assert_close(psnr(image + offset, image), expected)


def test_the_error_of_two_pixels_in_many_is_averaged() -> None:
    image, target = torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 5)
    image[1, 0, 0, 0], target[1, 2, 3, 4] = 0.5, -1.0
    torch.testing.assert_close(mse(image, target), torch.tensor([0.0, 1.25 / 60]))
