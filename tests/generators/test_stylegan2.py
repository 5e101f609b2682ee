import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.generators.stylegan2 import Shape, StyleGAN2
from references.stylegan2 import SHAPE, make, published, slow_image


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def tiny() -> StyleGAN2:
    return make()


@pytest.mark.parametrize(
    "shape",
    [SHAPE, replace(SHAPE, skip=False), replace(SHAPE, clamp=0.5), replace(SHAPE, channels=(4,))],
    ids=["skip", "last draws", "clamped", "4 pixels"],
)
def test_it_draws_what_the_paper_says_pixel_by_pixel(shape: Shape) -> None:
    generator = make(shape)
    w_plus = randn(2, shape.num_ws, 6, seed=99)
    expected = torch.from_numpy(np.stack([slow_image(generator, codes.numpy()) for codes in w_plus]))
    torch.testing.assert_close(generator.synthesis(w_plus), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("multiplier", "resolution", "depth", "count"),
    [
        (2, 64, 8, 27_032_600),
        (2, 128, 8, 29_328_669),
        (2, 256, 8, 30_034_338),
        (2, 512, 8, 30_276_583),
        (2, 1024, 8, 30_370_060),
        (2, 1024, 2, 28_794_124),
        (1, 256, 8, 24_767_458),
        (1, 512, 8, 24_860_935),
        (1, 1024, 8, 24_900_764),
        (1, 256, 2, 23_191_522),
    ],
)
def test_published_networks_have_as_many_parameters(multiplier: int, resolution: int, depth: int, count: int) -> None:
    generator = published(multiplier, resolution, depth)
    assert sum(parameter.numel() for parameter in generator.parameters()) == count
    assert generator.num_ws == 2 * math.log2(resolution) - 2
    assert len(generator.synthesis.noise_shapes) == 2 * math.log2(resolution) - 3


@pytest.mark.parametrize(("resolution", "convs", "to_rgb"), [(1024, 6048, 3040), (512, 5952, 3008), (256, 5760, 2944)])
def test_the_style_space_has_its_published_size(resolution: int, convs: int, to_rgb: int) -> None:
    channels = tuple(min(512, 32768 // (4 << i)) for i in range(int(math.log2(resolution)) - 1))
    shape = Shape(mapping=(512, 512), channels=channels)
    with torch.device("meta"):
        synthesis = StyleGAN2(shape, name="", fingerprint="").synthesis
        styles = synthesis.styles(torch.zeros(1, shape.num_ws, 512))
    assert sum(style.shape[1] for style in styles.convs) == convs
    assert sum(style.shape[1] for style in styles.to_rgb) == to_rgb


def test_the_largest_network_has_its_published_noise() -> None:
    channels = tuple(min(512, 32768 // (4 << i)) for i in range(9))
    with torch.device("meta"):
        synthesis = StyleGAN2(Shape(mapping=(512, 512), channels=channels), name="", fingerprint="").synthesis
    assert sum(math.prod(size) for size in synthesis.noise_shapes) == 2_796_176


def test_drawing_a_style_space_is_drawing_its_code(tiny: StyleGAN2) -> None:
    w_plus = randn(2, 6, 6)
    assert torch.equal(tiny.synthesis.draw(tiny.synthesis.styles(w_plus)), tiny.synthesis(w_plus))


def test_noise_comes_stored_at_random_given_or_not_at_all(tiny: StyleGAN2) -> None:
    w_plus, synthesis = randn(2, 6, 6), tiny.synthesis
    stored = [layer.noise_const[None, None] for layer in synthesis.layers]
    assert torch.equal(synthesis(w_plus, noise=stored), synthesis(w_plus))
    flat = [torch.zeros(1, 1, *size, dtype=torch.float64) for size in synthesis.noise_shapes]
    torch.testing.assert_close(synthesis(w_plus, noise=flat), synthesis(w_plus, noise="none"))
    one, same, other = (
        synthesis(w_plus, noise="random", randomness=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert (one - other).abs().max() > 0.01


def test_a_coarse_image_is_what_the_first_layers_draw(tiny: StyleGAN2) -> None:
    smaller = StyleGAN2(replace(SHAPE, channels=SHAPE.channels[:2]), name="", fingerprint="").double()
    smaller.load_state_dict({n: t for n, t in tiny.state_dict().items() if n in smaller.state_dict()})
    w_plus = randn(2, 6, 6)
    torch.testing.assert_close(tiny.synthesis.coarse(w_plus, 8), smaller.synthesis(w_plus[:, :4]))
    with pytest.raises(ValueError, match=r"resolution must be one of .*, got 12"):
        tiny.synthesis.coarse(w_plus, 12)
    with pytest.raises(ValueError, match=r"resolution must be one of .*, got 8"):
        make(replace(SHAPE, skip=False)).synthesis.coarse(w_plus, 8)


def test_a_smaller_image_is_the_average_of_the_full_one(tiny: StyleGAN2) -> None:
    w_plus = randn(2, 6, 6)
    full = tiny.synthesis(w_plus)
    torch.testing.assert_close(
        tiny.synthesis(w_plus, resolution=4), full.unfold(2, 4, 4).unfold(3, 4, 4).mean((-2, -1))
    )


def test_scaling_all_weights_of_a_convolution_changes_nothing(tiny: StyleGAN2) -> None:
    before = tiny.synthesis(w_plus := randn(1, 6, 6))
    for layer in tiny.synthesis.layers:
        layer.weight.mul_(1000)
    torch.testing.assert_close(tiny.synthesis(w_plus), before, rtol=1e-6, atol=1e-6)


def test_an_image_does_not_depend_on_its_batch(tiny: StyleGAN2) -> None:
    w_plus = randn(3, 6, 6)
    torch.testing.assert_close(tiny.synthesis(w_plus)[1:2], tiny.synthesis(w_plus[1:2]))


def test_the_gradient_in_the_code_can_be_differentiated_again(tiny: StyleGAN2) -> None:
    draw: Callable[[Tensor], Tensor] = lambda w_plus: tiny.synthesis(w_plus, resolution=2)  # noqa: E731
    w_plus = randn(1, 6, 6).requires_grad_()
    torch.autograd.gradcheck(draw, (w_plus,))
    torch.autograd.gradgradcheck(draw, (w_plus,))


@pytest.mark.parametrize(
    ("shape", "resolution"), [((1, 5, 6), None), ((1, 6, 7), None), ((6, 6), None), ((1, 6, 6), 3)]
)
def test_what_cannot_be_drawn_is_refused(tiny: StyleGAN2, shape: tuple[int, ...], resolution: int | None) -> None:
    expected = "resolution must divide 16, got 3" if resolution else r"w_plus must be \(N, 6, 6\)"
    with pytest.raises(ValueError, match=expected):
        tiny.synthesis(randn(*shape), resolution=resolution)


def test_prepared_weights_draw_the_same(tiny: StyleGAN2) -> None:
    before = tiny.synthesis(w_plus := randn(2, 6, 6))
    for layer in tiny.synthesis.layers:
        layer.prepare()
    torch.testing.assert_close(tiny.synthesis(w_plus), before, rtol=0, atol=1e-12)


def test_weights_that_learn_are_not_taken_for_those_prepared(tiny: StyleGAN2) -> None:
    layer, style = tiny.synthesis.layers[1], randn(2, 5)
    layer.prepare()
    layer.weight.requires_grad_().data.mul_(2)
    modulated = layer.weight * style[:, None, :, None, None]
    expected = 1 / modulated.square().sum(dim=(2, 3, 4)).add(1e-8).sqrt()
    torch.testing.assert_close(layer.demodulation(style), expected)


@pytest.mark.parametrize("how", ["learned", "loaded"])
def test_weights_that_were_changed_are_not_taken_for_those_prepared(tiny: StyleGAN2, how: str) -> None:
    w_plus, layer = randn(2, 6, 6), tiny.synthesis.layers[1]
    before = tiny.synthesis(w_plus)
    layer.prepare()
    if how == "learned":
        layer.weight.requires_grad_()
        tiny.synthesis(w_plus)
        layer.weight.data.mul_(2)
        layer.weight.requires_grad_(False)
    else:
        tiny.load_state_dict(tiny.state_dict() | {"synthesis.convs.1.weight": 2 * layer.weight})
    torch.testing.assert_close(tiny.synthesis(w_plus), before)  # demodulation takes the factor out
