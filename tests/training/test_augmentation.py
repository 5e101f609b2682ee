import math

import pytest
import torch
from torch import Tensor

from latentloop.training.augmentation import BALANCE, SHIFT, TURN, ZOOM, jitter, relight

SIZE = 64


def waves(x: Tensor, y: Tensor) -> Tensor:
    """A smooth image as a function of the place, from -1 to 1."""
    return torch.stack([(3 * x + y).sin(), (2 * y - x).cos(), (x * y * 2).sin()]) * 0.8


def places() -> tuple[Tensor, Tensor]:
    centres = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return x, y


@pytest.mark.parametrize("amounts", [(0, 0, 0, 0), (1, 0, 0, 0), (0, -1, 0, 0), (0, 0, 1, -0.5), (-0.7, 0.6, 0.3, 1)])
def test_photos_are_turned_scaled_and_shifted(amounts: tuple[float, ...]) -> None:
    """Held against the function that the image shows, at the places that the change leads to.

    Cubic interpolation is off by up to .005 here, a shift by half a pixel by .03.
    """
    x, y = places()
    moved = jitter(waves(x, y)[None], torch.tensor([amounts]).float())[0]
    turn, scale, right, down = TURN * amounts[0], math.exp(ZOOM * amounts[1]), SHIFT * amounts[2], SHIFT * amounts[3]
    from_x = scale * (x * math.cos(turn) - y * math.sin(turn)) + right
    from_y = scale * (x * math.sin(turn) + y * math.cos(turn)) + down
    inside = (from_x.abs() < 0.95) & (from_y.abs() < 0.95)
    assert inside.float().mean() > 0.75
    assert (moved - waves(from_x, from_y)).abs()[:, inside].max() < 8e-3


def test_light_changes_as_it_is_said_to() -> None:
    grey = torch.full((1, 3, 8, 8), -0.2)  # 0.4 of the full light
    assert torch.allclose(relight(grey, torch.zeros(1, 6)), grey, atol=1e-6)
    red = (relight(grey, torch.tensor([[0.0, 0, 0, 1, 0, 0]]))[0, :, 0, 0] + 1) / 2
    assert red.tolist() == pytest.approx([0.4 * math.exp(BALANCE), 0.4, 0.4], abs=1e-6)
    bright, dark = (relight(grey, torch.tensor([[s, s, 0, 0, 0, 0]])).mean() for s in (1.0, -1.0))
    assert dark < grey.mean() < bright
    x, y = places()
    image = waves(x, y)[None] / 2
    harder = relight(image, torch.tensor([[0.0, 0, 1, 0, 0, 0]]))
    assert harder.mean().item() == pytest.approx(image.mean().item(), abs=1e-5)
    assert harder.std() > 1.1 * image.std()


def test_each_photo_is_changed_by_its_own_amounts_and_stays_in_range() -> None:
    x, y = places()
    images = waves(x, y).expand(3, -1, -1, -1)
    before = images.clone()
    for change, count in ((jitter, 4), (relight, 6)):
        amounts = 2 * torch.rand(3, count, generator=torch.Generator().manual_seed(0)) - 1
        together = change(images, amounts)
        assert together.abs().max() <= 1
        for image, one, amount in zip(together, images, amounts, strict=True):
            torch.testing.assert_close(image[None], change(one[None], amount[None]))
    assert torch.equal(images, before)
