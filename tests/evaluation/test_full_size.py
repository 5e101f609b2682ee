import pytest
import torch
from torch import Tensor

from latentloop.evaluation.full_size import measure_full_size
from latentloop.features.lpips import Lpips, load_lpips
from latentloop.metrics import periodic_pattern


@pytest.fixture(scope="module")
def lpips() -> Lpips:
    return load_lpips()


@pytest.fixture
def photo() -> Tensor:
    return torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0)) - 0.5


@pytest.fixture
def image(photo: Tensor) -> Tensor:
    """The photo with a pattern of period 4 in its middle, and another frame."""
    image = photo + 0.1 * torch.cos(torch.pi / 2 * torch.arange(512))
    image[..., :64, :] = image[..., -64:, :] = -1
    return image


def test_they_are_of_the_middle_and_of_both_images(image: Tensor, photo: Tensor, lpips: Lpips) -> None:
    figures = measure_full_size(image, photo, lpips, side=512)
    assert list(figures) == ["lpips_full", "pattern", "pattern_photo"]
    expected = lpips(image[:, :, 128:384, 128:384], photo[:, :, 128:384, 128:384]).item()
    assert figures["lpips_full"] == pytest.approx(expected, rel=1e-5)
    assert figures["pattern"] == pytest.approx(periodic_pattern(image).item())
    assert figures["pattern_photo"] == pytest.approx(periodic_pattern(photo).item())
    assert figures["pattern"] > figures["pattern_photo"] + 0.1


def test_a_photo_is_reconstructed_perfectly_by_itself(photo: Tensor, lpips: Lpips) -> None:
    figures = measure_full_size(photo, photo, lpips, side=512)
    assert figures["lpips_full"] == 0
    assert figures["pattern"] == figures["pattern_photo"]


def test_a_photo_that_was_enlarged_much_says_nothing_about_likeness(image: Tensor, photo: Tensor, lpips: Lpips) -> None:
    assert "lpips_full" in measure_full_size(image, photo, lpips, side=410)
    assert list(measure_full_size(image, photo, lpips, side=409)) == ["pattern", "pattern_photo"]


def test_beside_a_smaller_photo_the_reconstruction_is_measured_alone(image: Tensor, lpips: Lpips) -> None:
    figures = measure_full_size(image, torch.zeros(1, 3, 480, 480), lpips, side=480)
    assert figures == {"pattern": pytest.approx(periodic_pattern(image.clamp(-1, 1)).item())}


def test_at_256_pixels_there_is_nothing_more_to_see(photo: Tensor, lpips: Lpips) -> None:
    small = photo[..., :256, :256]
    assert measure_full_size(small, small, lpips, side=256) == {}


def test_a_reconstruction_beyond_the_range_is_clamped(image: Tensor, photo: Tensor, lpips: Lpips) -> None:
    beyond = measure_full_size(4 * image, photo, lpips, side=512)
    assert beyond == measure_full_size((4 * image).clamp(-1, 1), photo, lpips, side=512)


def test_a_pattern_that_is_known_is_not_measured_again(
    image: Tensor, photo: Tensor, lpips: Lpips, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []

    def measured(image: Tensor) -> Tensor:
        seen.append(image)
        return torch.ones(1)

    monkeypatch.setattr("latentloop.evaluation.full_size.periodic_pattern", measured)
    figures = measure_full_size(image, photo, lpips, side=512, pattern_photo=0.25)
    assert (figures["pattern"], figures["pattern_photo"]) == (1, 0.25)
    assert len(seen) == 1
