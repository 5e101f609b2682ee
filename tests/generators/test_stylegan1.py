from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.generators.stylegan1 import Shape, StyleGAN1
from latentloop.generators.stylegan1_layers import Finish, StyledConv, StyledUpConv, adaptive_instance_norm, blur
from references.stylegan1 import (
    SHAPE,
    Array,
    arrays,
    codes,
    published,
    random_generator,
    slow_blur,
    slow_conv,
    slow_draw,
    slow_finish,
    slow_fused_up,
    slow_norm,
    slow_up,
    with_random_weights,
)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def tiny() -> StyleGAN1:
    """16 pixels, in float64."""
    return random_generator()


def close(found: Tensor, expected: Array) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=1e-11)


def test_the_filter_is_a_binomial_one_with_nothing_beyond_the_border() -> None:
    x, bias = randn(2, 3, 5, 5), randn(3)
    close(blur(x, bias), slow_blur(x.numpy()) + bias.numpy()[:, None, None])


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_normalisation_gives_each_channel_the_statistics_of_its_style(offset: float) -> None:
    x, scale, shift = randn(2, 3, 6, 6) + offset, randn(2, 3), randn(2, 3, seed=2)
    found = adaptive_instance_norm(x, scale, shift)
    close(found, slow_norm(x.numpy(), scale.numpy(), shift.numpy()))
    torch.testing.assert_close(found.mean(dim=(2, 3)), shift)
    torch.testing.assert_close(found.std(dim=(2, 3), correction=0), scale.abs())


def test_normalisation_survives_constant_features_and_large_means() -> None:
    flat = adaptive_instance_norm(torch.full((1, 2, 8, 8), 3.0), torch.ones(1, 2), torch.zeros(1, 2))
    assert (flat == 0).all()
    x = torch.randn(1, 2, 256, 256, generator=torch.Generator().manual_seed(0)) + 300
    x = x.contiguous(memory_format=torch.channels_last)
    found = adaptive_instance_norm(x, torch.ones(1, 2), torch.zeros(1, 2))
    expected = slow_norm(x.double().numpy(), np.ones((1, 2)), np.zeros((1, 2)))
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-4)


def test_a_layer_ends_in_noise_activation_normalisation_and_style() -> None:
    finish = Finish(6, 3, 4)
    with_random_weights(finish)
    x, w = randn(2, 3, 4, 4), randn(2, 6)
    layer = {f"finish.{name}": value for name, value in arrays(finish).items()} | {"bias": np.zeros(3)}
    expected = slow_finish(x.numpy(), layer, w.numpy())
    close(finish(x.clone(), w, finish.noise_const[None, None]), expected)


def test_a_convolution_is_finished() -> None:
    conv = StyledConv(6, 4, 3, 4)
    with_random_weights(conv)
    x, w = randn(2, 4, 4, 4), randn(2, 6)
    layer = arrays(conv)
    expected = slow_finish(slow_conv(x.numpy(), layer["weight"]), layer, w.numpy())
    close(conv(x, w, conv.finish.noise_const[None, None]), expected)


@pytest.mark.parametrize("slow", [slow_up, slow_fused_up])
def test_an_up_convolution_upsamples_for_a_turned_kernel_or_paints_four_copies(
    slow: Callable[[Array, Array], Array],
) -> None:
    conv = StyledUpConv(6, 4, 3, 8)
    with_random_weights(conv)
    x, w = randn(2, 4, 4, 4), randn(2, 6)
    layer = arrays(conv)
    expected = slow_finish(slow(x.numpy(), layer["weight"]), layer, w.numpy())
    close(conv(x, w, conv.finish.noise_const[None, None]), expected)


@pytest.mark.parametrize("tanh", [False, True])
def test_layers_follow_each_other_and_the_last_draws(tanh: bool) -> None:
    generator = random_generator(replace(SHAPE, tanh=tanh))
    w_plus = codes(generator, 2)
    expected = slow_draw(generator, w_plus.numpy())
    close(generator.synthesis(w_plus), np.tanh(expected) if tanh else expected)


def slow_mapping(layers: dict[str, Array], z: Array) -> Array:
    x: Array = z / np.sqrt((z**2).mean(axis=1, keepdims=True) + 1e-8)
    for i in range(len(layers) // 2):
        x = x @ layers[f"fc.{i}.weight"].T + layers[f"fc.{i}.bias"]
        x = np.where(x > 0, x, 0.2 * x)
    return x


def test_the_mapping_network_is_dense_layers_without_a_gain(tiny: StyleGAN1) -> None:
    z = randn(3, 5)
    close(tiny.mapping(z), slow_mapping(arrays(tiny.mapping), z.numpy()))
    torch.testing.assert_close(tiny.mapping(3 * z), tiny.mapping(z), rtol=1e-6, atol=1e-6)
    assert tiny.latent_avg.shape == (6,)


def test_a_layerwise_mapping_network_makes_a_style_for_each_layer() -> None:
    generator = random_generator(replace(SHAPE, mapping=(5, 7, 6 * 6), layerwise=True))
    z = randn(3, 5)
    expected = slow_mapping(arrays(generator.mapping, "network."), z.numpy()).reshape(3, 6, 6)
    close(generator.mapping(z), expected)
    assert (generator.w_dim, generator.num_ws, generator.latent_avg.shape) == (6, 6, (6, 6))
    assert generator.synthesis(generator.mapping(z, None)).shape == (3, 3, 16, 16)


@pytest.mark.parametrize("shape", [SHAPE, replace(SHAPE, mapping=(5, 7, 6 * 6), layerwise=True)])
def test_labels_are_refused(shape: Shape) -> None:
    with pytest.raises(ValueError, match="labels"):
        random_generator(shape).mapping(randn(3, 5), randn(3, 2))


@pytest.mark.parametrize("resolution", [16, 8, 2, 1])
def test_a_coarser_image_is_the_area_average(resolution: int) -> None:
    tiny = random_generator(replace(SHAPE, tanh=True))
    w_plus, factor = codes(tiny, 2), 16 // resolution
    expected = tiny.synthesis(w_plus).numpy().reshape(2, 3, resolution, factor, resolution, factor).mean(axis=(3, 5))
    close(tiny.synthesis(w_plus, resolution=resolution), expected)


def test_an_image_is_drawn_alike_alone_and_in_a_batch(tiny: StyleGAN1) -> None:
    w_plus = codes(tiny, 3)
    maps = [randn(3, 1, *shape, seed=i) for i, shape in enumerate(tiny.synthesis.noise_shapes)]
    alone = [tiny.synthesis(w[None], noise=[m[i : i + 1] for m in maps]) for i, w in enumerate(w_plus)]
    torch.testing.assert_close(tiny.synthesis(w_plus, noise=maps), torch.cat(alone), rtol=0, atol=1e-12)


def test_synthesis_is_differentiable_twice_in_every_style() -> None:
    tiny = random_generator(Shape(mapping=(2, 2), channels=(2, 2)))
    w_plus = codes(tiny, 1).requires_grad_()

    def draw(w: Tensor) -> Tensor:
        image: Tensor = tiny.synthesis(w, resolution=2)
        return image

    assert torch.autograd.gradcheck(draw, (w_plus,))
    assert torch.autograd.gradgradcheck(draw, (w_plus,))
    (gradient,) = torch.autograd.grad(tiny.synthesis(w_plus).square().sum(), w_plus)
    assert (gradient.abs().amax(dim=2) > 0).all()


def test_all_weights_are_differentiable() -> None:
    tiny = random_generator(Shape(mapping=(2, 2), channels=(2, 2))).requires_grad_(True)
    w_plus = codes(tiny, 1)
    names, weights = zip(*tiny.synthesis.named_parameters(), strict=True)

    def draw(*weights: Tensor) -> Tensor:
        image: Tensor = torch.func.functional_call(
            tiny.synthesis, dict(zip(names, weights, strict=True)), (w_plus,), {"resolution": 2}
        )
        return image

    assert torch.autograd.gradcheck(draw, weights, fast_mode=True)


def test_stored_noise_is_the_default_and_maps_replace_it(tiny: StyleGAN1) -> None:
    w_plus = codes(tiny, 2)
    stored = [layer.finish.noise_const[None, None] for layer in (tiny.synthesis.const, *tiny.synthesis.convs)]
    image = tiny.synthesis(w_plus)
    assert torch.equal(tiny.synthesis(w_plus, noise="const"), image)
    assert torch.equal(tiny.synthesis(w_plus, noise=stored), image)
    for i in range(tiny.num_ws):
        others = [2 * one if i == k else one for k, one in enumerate(stored)]
        assert not torch.allclose(tiny.synthesis(w_plus, noise=others), image)


def test_random_noise_differs_between_images_and_repeats_with_its_seed(tiny: StyleGAN1) -> None:
    w_plus = codes(tiny, 1).expand(2, -1, -1)
    first, again, other = (
        tiny.synthesis(w_plus, noise="random", randomness=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first[0], first[1])


def test_no_noise_is_noise_of_zeros(tiny: StyleGAN1) -> None:
    w_plus = codes(tiny, 2)
    zeros = [torch.zeros(1, 1, *shape).double() for shape in tiny.synthesis.noise_shapes]
    torch.testing.assert_close(tiny.synthesis(w_plus, noise="none"), tiny.synthesis(w_plus, noise=zeros))
    assert not torch.allclose(tiny.synthesis(w_plus, noise="none"), tiny.synthesis(w_plus))


def test_drawing_changes_nothing_that_it_is_given(tiny: StyleGAN1) -> None:
    w_plus = codes(tiny, 1)
    maps = [randn(1, 1, *shape) for shape in tiny.synthesis.noise_shapes]
    before = [one.clone() for one in (w_plus, *maps, *tiny.state_dict().values())]
    tiny.synthesis(w_plus, noise=maps)
    tiny.synthesis(w_plus, noise="none")
    for left, right in zip(before, (w_plus, *maps, *tiny.state_dict().values()), strict=True):
        assert torch.equal(left, right)


def test_wrong_shapes_are_named(tiny: StyleGAN1) -> None:
    for wrong in (codes(tiny, 1)[:, :5], codes(tiny, 1)[:, :, :5], codes(tiny, 1)[0]):
        with pytest.raises(ValueError, match=r"w_plus must be \(N, 6, 6\), got \("):
            tiny.synthesis(wrong)
    for resolution in (12, 0, -1, 32):
        with pytest.raises(ValueError, match=f"resolution must divide 16, got {resolution}"):
            tiny.synthesis(codes(tiny, 1), resolution=resolution)
    maps = [torch.zeros(1, 1, *shape).double() for shape in tiny.synthesis.noise_shapes]
    for noise in (maps[:-1], [*maps[:-1], torch.zeros(1, 1, 8, 8)], [torch.zeros(4, 4), *maps[1:]]):
        with pytest.raises(ValueError, match="noise must be maps"):
            tiny.synthesis(codes(tiny, 1), noise=noise)


@pytest.mark.parametrize(
    "sizes",
    [
        {"mapping": (4,)},
        {"channels": ()},
        {"channels": (4, 0)},
        {"mapping": (5, 7, 35), "layerwise": True},
    ],
)
def test_sizes_that_no_network_has_are_refused(sizes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"sizes that no StyleGAN1 can have|must divide into"):
        Shape(**{"mapping": (5, 7, 6), "channels": (4, 3, 2), **sizes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("resolution", "parameters"), [(128, 25_843_858), (256, 26_086_229), (512, 26_179_768), (1024, 26_219_627)]
)
def test_published_sizes_have_the_published_number_of_parameters(resolution: int, parameters: int) -> None:
    generator = published(resolution)
    # Training grew the network, so that each resolution once drew images, with a layer that is of no more use.
    unused = sum(3 * channels + 3 for channels in generator.shape.channels[:-1])
    assert sum(p.numel() for p in generator.parameters()) + unused == parameters
    assert sum(p.numel() for p in generator.mapping.parameters()) == 2_101_248


def test_published_sizes_have_the_published_inputs() -> None:
    generator = published(1024)
    assert (generator.num_ws, generator.z_dim, generator.c_dim, generator.w_dim) == (18, 512, 0, 512)
    shapes = generator.synthesis.noise_shapes
    assert (len(shapes), sum(height * width for height, width in shapes)) == (18, 2_796_192)
    assert [published(size).num_ws for size in (128, 256, 512)] == [12, 14, 16]
    with torch.device("meta"):
        wide = replace(published(256).shape, mapping=(512,) * 8 + (14 * 512,), layerwise=True)
        layerwise = StyleGAN1(wide, name="", fingerprint="")
    assert sum(p.numel() for p in layerwise.mapping.parameters()) == 5_515_776
