import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.generators import Generator, load_generator
from latentloop.generators.descreen import descreen
from latentloop.latents import sample_codes
from latentloop.metrics import periodic_pattern

PERIOD = 8
SIDE = 256


def smooth_image(seed: int = 0) -> Tensor:
    """A colour image without detail, (1, 3, SIDE, SIDE)."""
    randomness = torch.Generator().manual_seed(seed)
    return F.interpolate(0.4 * torch.randn(1, 3, 6, 6, generator=randomness), SIDE, mode="bicubic").clamp(-1, 1)


def lattice(amplitude: float, seed: int = 1) -> Tensor:
    """A pattern of period 8 that averages to 0, (3, SIDE, SIDE)."""
    tile = torch.randn(3, PERIOD, PERIOD, generator=torch.Generator().manual_seed(seed))
    tile -= tile.mean(dim=(1, 2), keepdim=True)
    return amplitude * tile.repeat(1, SIDE // PERIOD, SIDE // PERIOD)


def phase_means(image: Tensor) -> npt.NDArray[np.float64]:
    """Mean of each phase of an image (1, 3, H, W) less that of all, (3, 8, 8); in NumPy, by slices."""
    pixels = image[0].double().numpy()
    means = np.array([[pixels[:, i::PERIOD, j::PERIOD].mean((1, 2)) for j in range(PERIOD)] for i in range(PERIOD)])
    relative: npt.NDArray[np.float64] = (means - means.mean((0, 1))).transpose(2, 0, 1)
    return relative


def test_a_lattice_on_a_smooth_image_goes_and_the_image_stays() -> None:
    image, pattern = smooth_image(), lattice(0.01)
    found = descreen(image + pattern, period=PERIOD)
    assert np.abs(phase_means(found - image)).max() < 0.1 * np.abs(phase_means(pattern[None])).max()
    assert (found - image).square().mean() < 0.02 * pattern.square().mean()


def test_what_has_no_pattern_hardly_changes() -> None:
    image = smooth_image()
    noise = 0.02 * torch.randn(image.shape, generator=torch.Generator().manual_seed(2))
    assert (descreen(image, period=PERIOD) - image).abs().max() < 1e-3
    change = descreen(image + noise, period=PERIOD) - (image + noise)
    assert change.square().mean() < 0.03 * noise.square().mean()


def test_an_edge_spreads_no_lattice_around_it() -> None:
    """As a plain mean over the phases does: of this edge, 0.06 high in its neighbourhood."""
    image = smooth_image() * 0.1
    image += 0.002 * torch.randn(image.shape, generator=torch.Generator().manual_seed(3))
    image[..., 101:] += 1
    assert (descreen(image, period=PERIOD) - image).abs().max() < 0.004


def test_the_average_over_a_period_stays() -> None:
    image = smooth_image() + lattice(0.02) + 0.05 * torch.randn(1, 3, SIDE, SIDE)
    change = descreen(image, period=PERIOD) - image
    assert change.abs().max() > 0.01
    assert F.avg_pool2d(change, PERIOD).abs().max() < 1e-6


def test_each_image_is_treated_by_itself_and_the_gradient_passes() -> None:
    images = torch.cat([smooth_image() + lattice(0.01), 0.3 * torch.randn(1, 3, SIDE, SIDE)]).requires_grad_()
    found = descreen(images, period=PERIOD)
    torch.testing.assert_close(found[:1], descreen(images[:1], period=PERIOD), rtol=0, atol=3e-5)
    (gradient,) = torch.autograd.grad((found * torch.arange(SIDE)).sum(), images)
    assert torch.equal(gradient, torch.arange(SIDE).float().expand_as(images))


def psnr(image: Tensor, other: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of images in [-1, 1], in dB, (N,)."""
    return 10 * torch.log10(4 / (image - other).square().mean(dim=(1, 2, 3)))


@pytest.fixture(scope="module")
def pair() -> tuple[Generator, Generator]:
    return load_generator("mobile-ffhq-1024"), load_generator("mobile-ffhq-1024-v1")


def test_the_shipped_generator_draws_as_the_published_one_without_its_pattern(
    pair: tuple[Generator, Generator],
) -> None:
    generator, published = pair
    w_plus = sample_codes(generator, 2, randomness=torch.Generator().manual_seed(41), truncation_psi=0.7)
    with torch.inference_mode():
        image, before = generator.synthesis(w_plus), published.synthesis(w_plus)
        small, small_before = (g.synthesis(w_plus[:1], resolution=256) for g in pair)
        half = generator.synthesis(w_plus[:1], resolution=512)
    assert (periodic_pattern(image) < periodic_pattern(before) - 0.7).all()
    assert periodic_pattern(image).mean() < 0.3
    assert torch.equal(small, small_before)
    assert psnr(small, F.avg_pool2d(image[:1], 4)).min() > 50
    torch.testing.assert_close(half, F.avg_pool2d(image[:1], 2), rtol=0, atol=3e-5)
    assert psnr(image, before).min() > 45
