from collections.abc import Callable

import pytest
import torch

from latentloop.generators import DrawnBy, Generator, StyleGAN2, low_precision, stylegan1, stylegan2, stylegan3
from latentloop.generators.stylegan1 import StyleGAN1
from latentloop.generators.stylegan3 import StyleGAN3
from latentloop.latents import sample_codes

MAPPING, CHANNELS = (16, 16, 16), (16, 16, 16, 16)
SMALL: dict[str, Callable[[], StyleGAN1 | StyleGAN2 | StyleGAN3]] = {
    "stylegan1": lambda: StyleGAN1(stylegan1.Shape(mapping=MAPPING, channels=CHANNELS), name="", fingerprint=""),
    "stylegan2": lambda: StyleGAN2(stylegan2.Shape(mapping=MAPPING, channels=CHANNELS), name="", fingerprint=""),
    "stylegan3": lambda: StyleGAN3(
        stylegan3.Shape(mapping=MAPPING, channels=CHANNELS, resolution=32), name="", fingerprint=""
    ),
}


@pytest.fixture
def codes(float_toy: Generator) -> torch.Tensor:
    return sample_codes(float_toy, 2, randomness=torch.Generator().manual_seed(0))


def test_images_and_gradients_are_nearly_the_same_and_of_float32(float_toy: Generator, codes: torch.Tensor) -> None:
    found = []
    for generator in (float_toy, low_precision(float_toy, torch.bfloat16)):
        w_plus = codes.clone().requires_grad_()
        image = generator.synthesis(w_plus, resolution=16)
        (gradient,) = torch.autograd.grad(image.square().sum(), w_plus)
        found.append((image.detach(), gradient))
    (image, gradient), (rough_image, rough_gradient) = found
    assert rough_image.dtype == rough_gradient.dtype == torch.float32
    torch.testing.assert_close(rough_image, image, atol=0.02, rtol=0)
    torch.testing.assert_close(rough_gradient, gradient, atol=0.03 * gradient.abs().max().item(), rtol=0)
    assert not torch.equal(rough_image, image)


def test_the_generator_itself_stays_as_it_is(float_toy: Generator, codes: torch.Tensor) -> None:
    before = float_toy.synthesis(codes)
    rough = low_precision(float_toy, torch.bfloat16)
    assert torch.equal(float_toy.synthesis(codes), before)
    assert rough.latent_avg.dtype == torch.float32
    assert torch.equal(rough.mapping(codes[:, 0]), float_toy.mapping(codes[:, 0]))


def test_float32_needs_no_copy(float_toy: Generator) -> None:
    assert low_precision(float_toy, torch.float32) is float_toy


def test_what_is_no_module_is_refused(float_toy: Generator) -> None:
    with pytest.raises(TypeError, match=r"toy-32: must be an nn.Module to be cast, got DrawnBy"):
        low_precision(DrawnBy(float_toy, float_toy.synthesis), torch.bfloat16)


@pytest.mark.parametrize("kind", SMALL)
def test_every_architecture_draws_nearly_the_same_in_bfloat16(kind: str) -> None:
    torch.manual_seed(0)
    generator = SMALL[kind]().requires_grad_(False)
    w_plus = torch.randn(2, generator.num_ws, 16)
    exact, rough = (g.synthesis(w_plus) for g in (generator, low_precision(generator, torch.bfloat16)))
    assert exact.std() > 0.01
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).std() < 0.03 * exact.std()
