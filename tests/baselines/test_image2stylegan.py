from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from latentloop.baselines import Image2StyleGAN, Image2StyleGANPlusPlus
from latentloop.errors import UserError
from latentloop.generators import Generator, StyleGAN2
from latentloop.generators.stylegan2 import Shape
from latentloop.latents import mean_code


def features(image: Tensor) -> list[Tensor]:
    return [2 * image[:, :, ::2], image.square()]


@pytest.fixture
def target(toy: Generator) -> Tensor:
    codes = toy.latent_avg + 0.3 * torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(3)).double()
    return toy.synthesis(codes)


def test_its_steps_are_those_of_plain_adam(toy: Generator, target: Tensor) -> None:
    found = Image2StyleGAN(toy, features, steps=7, lr=0.01).refine(target, mean_code(toy, 2))
    code = mean_code(toy, 2).clone().requires_grad_()
    adam, losses = torch.optim.Adam([code], lr=0.01), []
    for _ in range(8):
        image = toy.synthesis(code)
        loss = (image - target).square().mean((1, 2, 3))
        pairs = zip(features(image), features(target), strict=True)
        loss = loss + sum((a - b).square().mean((1, 2, 3)) for a, b in pairs)
        losses.append(loss.detach())
        adam.zero_grad()
        loss.sum().backward()
        last = code.detach().clone()
        adam.step()
    torch.testing.assert_close(found.losses, torch.stack(losses))
    torch.testing.assert_close(found.w_plus, last)
    assert (found.losses[-1] < found.losses[0]).all()


@pytest.fixture
def noisy() -> StyleGAN2:
    torch.manual_seed(0)
    generator = StyleGAN2(Shape(mapping=(8, 8), channels=(4, 4, 4)), name="noisy", fingerprint="").double()
    for layer in generator.synthesis.layers:
        torch.nn.init.ones_(layer.noise_strength)
    return generator.requires_grad_(False)


def test_noise_takes_in_what_styles_cannot_draw(noisy: StyleGAN2) -> None:
    target = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    styles = Image2StyleGAN(noisy, features, steps=3)
    method = Image2StyleGANPlusPlus(styles, steps=30, lr=0.1)
    told: list[int] = []
    found = method.refine(target, mean_code(noisy, 2), lambda step, _: told.append(step))
    assert torch.equal(found.w_plus, styles.refine(target, mean_code(noisy, 2)).w_plus)
    assert told == list(range(34))
    assert found.noise is not None
    assert [tuple(one.shape) for one in found.noise] == [(2, 1, *shape) for shape in noisy.synthesis.noise_shapes]
    drawn = noisy.synthesis(found.w_plus, noise=found.noise)
    torch.testing.assert_close(found.image, drawn)
    torch.testing.assert_close(found.loss, (drawn - target).square().mean((1, 2, 3)))
    assert (found.loss < 0.8 * found.losses[4]).all()


def test_a_mask_says_which_pixels_count(noisy: StyleGAN2) -> None:
    target = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mask = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    mask[..., :8] = 1

    def error(mask: Tensor | None) -> Tensor:
        method = Image2StyleGANPlusPlus(Image2StyleGAN(noisy, features, steps=1, mask=mask), steps=40, lr=0.1)
        return (method.refine(target, mean_code(noisy, 1)).image - target).square().mean((0, 1, 2))

    whole, masked = error(None), error(mask)
    assert masked[:8].mean() < whole[:8].mean()
    assert masked[8:].mean() > whole[8:].mean()


def test_what_lies_beyond_the_mask_does_not_matter(toy: Generator, target: Tensor) -> None:
    mask = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    mask[..., :16, :] = 1
    other = target.clone()
    other[..., 16:, :] = 0.3
    rows: Callable[[Tensor], list[Tensor]] = lambda image: [image[..., ::2].square()]  # noqa: E731
    method = Image2StyleGAN(toy, rows, steps=3, mask=mask)
    found, again = (method.refine(x, mean_code(toy, 2)).w_plus for x in (target, other))
    torch.testing.assert_close(found, again)
    assert not torch.allclose(found, Image2StyleGAN(toy, rows, steps=3).refine(target, mean_code(toy, 2)).w_plus)


def test_a_generator_without_noise_is_refused(toy: Generator, target: Tensor) -> None:
    method = Image2StyleGANPlusPlus(Image2StyleGAN(toy, features))
    with pytest.raises(UserError, match="toy-32 takes no noise maps; use Image2StyleGAN"):
        method.refine(target, mean_code(toy, 2))
