from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from conftest import randn
from latentloop.features.lpips import load_lpips
from latentloop.losses import LossToward, full_size_loss, pixel_loss, toward
from latentloop.losses.full_size import CENTRES, crop_boxes, crops

SIZE = 512


def compared(weight: float = 2.0, close_up: LossToward | None = None) -> LossToward:
    return full_size_loss(toward(pixel_loss), close_up or toward(pixel_loss), weight=weight, working_size=64)


def test_with_lpips_the_crops_are_compared_one_by_one() -> None:
    image, target = (randn(2, 3, SIZE, SIZE, seed=seed).float() for seed in (0, 1))
    lpips = load_lpips("alex")
    each = [
        lpips(image[:, :, y : y + 256, x : x + 256], target[:, :, y : y + 256, x : x + 256])
        for y, x in crop_boxes(SIZE)
    ]
    found = compared(close_up=lpips.toward)(target)(image) - compared(weight=0.0)(target)(image)
    torch.testing.assert_close(found, 2 * torch.stack(each).mean(dim=0), rtol=1e-4, atol=1e-6)


def test_an_image_has_no_distance_from_itself_and_its_loss_is_the_same_each_time() -> None:
    image, target = randn(1, 3, SIZE, SIZE), randn(1, 3, SIZE, SIZE, seed=1)
    loss = compared()(image)
    assert loss(image).item() == 0
    assert loss(target).item() == loss(target).item() > 0


def test_what_the_area_averages_hide_the_crops_see() -> None:
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    canvas = torch.from_numpy(np.where((x + y) % 2, 0.1, -0.1)).expand(1, 3, SIZE, SIZE)
    found = [compared(weight)(torch.zeros_like(canvas))(canvas).item() for weight in (0.0, 1.0)]
    assert found == pytest.approx([0, 0.01], abs=1e-12)


def test_the_target_is_seen_once() -> None:
    seen: list[tuple[int, ...]] = []

    def watching(target: Tensor) -> Callable[[Tensor], Tensor]:
        seen.append(tuple(target.shape))
        return lambda image: (image - target).square().mean(dim=(1, 2, 3))

    loss = compared(close_up=watching)(randn(2, 3, SIZE, SIZE))
    for _ in range(3):
        loss(randn(2, 3, SIZE, SIZE, seed=1))
    assert seen == [(2 * len(CENTRES), 3, 256, 256)]


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_crops_lie_within_the_image(size: int) -> None:
    assert all(0 <= first <= size - 256 for box in crop_boxes(size) for first in box)
    assert crops(torch.zeros(2, 3, size, size)).shape == (2 * len(CENTRES), 3, 256, 256)


def test_smaller_images_are_refused() -> None:
    with pytest.raises(ValueError, match="256 pixels or more, not 128"):
        compared()(torch.zeros(1, 3, 128, 128))
