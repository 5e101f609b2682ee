import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.generators import Generator, MobileStyleGAN, affines
from latentloop.generators.mobilestylegan import Shape
from latentloop.latents import StyleAlignment, layer_spread, sample_codes, style_alignment


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def generator() -> MobileStyleGAN:
    made = MobileStyleGAN(Shape(w_dim=8, num_ws=6, channels=(16, 16, 8)), name="tiny", fingerprint="").double()
    for i, parameter in enumerate(made.parameters()):
        parameter.data = randn(*parameter.shape, seed=i)
    return made.requires_grad_(False)


@pytest.fixture
def alignment(generator: MobileStyleGAN) -> StyleAlignment:
    return style_alignment(generator, samples=1500)


def test_a_style_is_held_against_the_mean_direction_of_random_ones(
    generator: MobileStyleGAN, alignment: StyleAlignment
) -> None:
    w = generator.mapping(torch.randn(1500, 8, generator=torch.Generator().manual_seed(0)).double()).numpy()
    maps = [(layer, one) for layer, of_style in enumerate(affines(generator) or []) for one in of_style]
    assert len(maps) == 8  # two blocks' upsampling has a style of its own
    code, cosines = randn(6, 8, seed=9), []
    for layer, one in maps:
        weight, bias = one.weight.numpy(), one.bias.numpy()
        drawn = np.array([weight @ sample + bias for sample in w])
        anchor = np.mean([style / np.linalg.norm(style) for style in drawn], axis=0)
        style = weight @ code[layer].numpy() + bias
        cosines.append(style @ anchor / np.linalg.norm(style))
    np.testing.assert_allclose(alignment(code[None]), [np.mean(cosines)], rtol=1e-6)
    np.testing.assert_allclose(alignment.w_std, np.sqrt(w.var(axis=0).mean()), rtol=1e-6)


def test_codes_of_one_batch_do_not_touch_each_other(alignment: StyleAlignment) -> None:
    codes = randn(3, 6, 8)
    torch.testing.assert_close(alignment(codes), torch.cat([alignment(code[None]) for code in codes]))


def test_the_iterator_can_climb_it(alignment: StyleAlignment) -> None:
    codes = randn(2, 6, 8).requires_grad_()
    assert torch.autograd.gradcheck(alignment, codes)
    (gradient,) = torch.autograd.grad(alignment(codes).sum(), codes)
    assert (alignment(codes + 0.1 * gradient) > alignment(codes)).all()


def test_random_codes_are_nearer_than_others(generator: MobileStyleGAN, alignment: StyleAlignment) -> None:
    random = sample_codes(generator, 20, randomness=torch.Generator().manual_seed(7))
    assert alignment(random).mean() > alignment(random + 3 * alignment.w_std * randn(20, 6, 8)).mean() + 0.05


def test_a_generator_that_tells_no_maps_is_measured_in_w(toy: Generator) -> None:
    alignment = style_alignment(toy, samples=100)
    w = toy.mapping(torch.randn(100, 8, generator=torch.Generator().manual_seed(0)).double())
    anchor = (w / w.norm(dim=1, keepdim=True)).mean(dim=0)
    code = randn(1, 4, 8)
    torch.testing.assert_close(alignment(code), (code @ anchor / code.norm(dim=2)).mean(dim=1))


def test_the_spread_of_layers_is_nothing_in_w_and_about_one_among_strangers() -> None:
    same = 0.5 * randn(2, 1, 400).expand(-1, 10, -1)
    torch.testing.assert_close(layer_spread(same, w_std=0.5), torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-12)
    strangers = 0.5 * randn(1, 10, 400)
    expected = strangers.numpy()[0].var(axis=0).mean() / 0.25
    np.testing.assert_allclose(layer_spread(strangers, w_std=0.5), [expected])
    assert expected == pytest.approx(0.9, abs=0.05)  # less a tenth, for the mean of ten layers
