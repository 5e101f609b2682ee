import pytest
import torch
from torch import Tensor

from conftest import PHOTOS
from latentloop.images import as_jpeg, read_image, resize
from latentloop.training.jpeg import CHROMINANCE, LUMINANCE, jpeg


@pytest.fixture(scope="module")
def photos() -> Tensor:
    """Two photos at a size that is no multiple of a block's, so small that compression has been left behind."""
    return torch.cat([resize(read_image(PHOTOS / name), 152, 152) for name in ("female-1.jpg", "male-23.jpg")])


def psnr(image: Tensor, target: Tensor) -> float:
    return (10 * (4 / (image - target).square().mean()).log10()).item()


@pytest.mark.parametrize("quality", [30, 40, 50, 60, 75, 90, 95])
def test_images_are_those_of_libjpeg(photos: Tensor, quality: int) -> None:
    """Held against Pillow: what differs is rounding within libjpeg, far below what compression changes."""
    theirs = torch.cat([as_jpeg(photo[None], quality=quality) for photo in photos])
    ours = jpeg(photos, torch.full((2,), quality))
    assert psnr(ours, theirs) > max(44, psnr(theirs, photos) + 6)


def test_each_image_has_its_own_quality(photos: Tensor) -> None:
    together = jpeg(photos, torch.tensor([40, 90]))
    for image, photo, quality in zip(together, photos, (40, 90), strict=True):
        assert torch.equal(image[None], jpeg(photo[None], torch.tensor([quality])))


def test_there_is_a_step_for_each_frequency() -> None:
    assert len(LUMINANCE.split()) == len(CHROMINANCE.split()) == 64
