from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.generators.filtering import lowpass
from latentloop.generators.stylegan3 import Shape, StyledConv, StyleGAN3, layer_signal
from references.stylegan3 import COUNTS, ROTATABLE, SHAPE, make, published, slow_features, slow_image

SMALLEST = replace(SHAPE, mapping=(4, 3), channels=(3, 2), resolution=8, margin=2)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def tiny() -> StyleGAN3:
    return make()


@pytest.mark.parametrize(
    "shape",
    [
        SHAPE,
        ROTATABLE,
        replace(SHAPE, clamp=0.5, output_scale=2.0),
        replace(SHAPE, clamp=None, num_critical=2),
        replace(SHAPE, oversampling=1),
        replace(SHAPE, kernel=5, filter_size=5, oversampling=3, margin=5),
    ],
    ids=["T", "R", "clamped", "unclamped", "not oversampled", "odd sizes"],
)
def test_it_draws_what_the_paper_says_pixel_by_pixel(shape: Shape) -> None:
    generator = make(shape)
    w_plus = randn(2, shape.num_ws, 6, seed=99)
    expected = torch.from_numpy(np.stack([slow_image(generator, codes.numpy()) for codes in w_plus]))
    assert expected.std() > 0.1
    torch.testing.assert_close(generator.synthesis(w_plus), expected, rtol=0, atol=1e-12)


def test_canvases_are_padded_or_cropped_to_what_is_used(tiny: StyleGAN3) -> None:
    assert [layer.padding for layer in tiny.synthesis.layers] == [2, 1, 1, -2]


@pytest.mark.parametrize("shrink", [1.0, 1.5, 4.0])
def test_waves_are_moved_and_fade_where_they_are_too_fast(tiny: StyleGAN3, shrink: float) -> None:
    layer, w = tiny.synthesis.input, randn(3, 6, seed=5)
    layer.transform[:2, :2] = shrink * torch.eye(2)
    features, left = zip(*(slow_features(layer, codes.numpy()) for codes in w), strict=True)
    torch.testing.assert_close(layer(w), torch.from_numpy(np.stack(features)), rtol=0, atol=1e-12)
    assert (np.stack(left) > 0).any() == (shrink < 4)
    assert (np.stack(left) < 1).any()


def test_a_new_network_draws_waves_up_to_its_first_cutoff() -> None:
    torch.manual_seed(0)
    layer = StyleGAN3(replace(SHAPE, channels=(1000, 1, 1)), name="", fingerprint="").synthesis.input
    speed = layer.freqs.norm(dim=1)
    assert 0.99 < speed.max() <= 1
    assert abs((speed < 0.5).double().mean() - 0.25) < 0.05  # as many as the disc has room for


@pytest.mark.parametrize("shape", [SHAPE, ROTATABLE])
def test_the_magnitudes_of_weights_and_styles_do_not_matter(shape: Shape) -> None:
    layer = make(shape).synthesis.layers[1]
    x, style = randn(1, 5, 20, 20), randn(1, 5, seed=1)
    before = layer(x, style)
    torch.testing.assert_close(layer(x, 1e-6 * style), before, rtol=0, atol=1e-12)
    layer.weight.mul_(1e-6)
    torch.testing.assert_close(layer(x, style), before, rtol=0, atol=1e-12)


PUBLISHED = [
    (36, 16, 2, 6),
    (36, 16, 3.1748, 4.8252),
    (52, 32, 5.03968, 10.9603),
    (52, 32, 8, 8),
    (84, 64, 12.6992, 19.3008),
    (148, 128, 20.1587, 43.8413),
    (148, 128, 32, 32),
    (276, 256, 50.7968, 77.2032),
    (276, 256, 80.6349, 47.3651),
    (532, 512, 128, 128),
    (1044, 1024, 203.187, 308.813),
    (1044, 1024, 322.54, 189.46),
    (1044, 1024, 512, 118.346),
    (1024, 1024, 512, 118.346),
]
"""Size, sampling rate, cutoff and half-width of each layer's result in the 1024-pixel networks, as they print them."""


def test_signals_are_the_published_ones() -> None:
    shape = Shape(mapping=(1, 1), channels=(1,) * 14, resolution=1024)
    for i, (size, rate, cutoff, half_width) in enumerate(PUBLISHED):
        signal = layer_signal(shape, i)
        assert (signal.size, signal.rate) == (size, rate)
        assert signal.cutoff == pytest.approx(cutoff, rel=5e-6)
        assert signal.half_width == pytest.approx(half_width, rel=5e-6)


@pytest.mark.parametrize(
    ("rotatable", "channels"),
    [(False, (512,) * 7 + (323, 203, 128, 81, 51, 32, 32)), (True, (1024,) * 7 + (645, 406, 256, 161, 102, 64, 64))],
)
def test_published_networks_have_these_layers(rotatable: bool, channels: tuple[int, ...]) -> None:
    layers = published(1024, rotatable=rotatable).synthesis.layers
    assert tuple(len(layer.bias) for layer in layers) == channels
    assert [layer.size for layer in layers] == [size for size, *_ in PUBLISHED]
    # Filters have 6 taps for each pixel at the lower rate; only the last two are never radial.
    rises = [2, 2, 4, 2, 4, 4, 2, 4, 2, 4, 4, 2, 2, 2]
    assert [layer.up_taps.shape for layer in layers] == [(6 * rise,) for rise in rises]
    down = [(12, 12) if rotatable and i < 12 else (12,) for i in range(14)]
    assert [layer.down_taps.shape for layer in layers] == down


@pytest.mark.parametrize("shape", [SHAPE, ROTATABLE])
def test_filters_keep_to_the_signals_before_and_after(shape: Shape) -> None:
    signals = [layer_signal(shape, i) for i in range(4)]
    for i, (before, after) in enumerate(zip([signals[0], *signals], signals, strict=False)):
        layer, rate = StyledConv(shape, i), 2 * max(before.rate, after.rate)
        assert (layer.up, layer.down) == (rate / before.rate, rate / after.rate)
        up = lowpass(6 * layer.up, cutoff=before.cutoff, half_width=before.half_width, rate=rate)
        down = lowpass(
            6 * layer.down, cutoff=after.cutoff, half_width=after.half_width, rate=rate, radial=shape.radial and i < 3
        )
        torch.testing.assert_close((layer.up_taps, layer.down_taps), (up.float(), down.float()))


@pytest.mark.parametrize(("rotatable", "resolution"), COUNTS)
def test_published_networks_have_as_many_parameters(rotatable: bool, resolution: int) -> None:
    generator = published(resolution, rotatable=rotatable)
    assert sum(parameter.numel() for parameter in generator.parameters()) == COUNTS[rotatable, resolution]
    assert (generator.resolution, generator.num_ws, generator.w_dim, generator.z_dim) == (resolution, 16, 512, 512)


@pytest.mark.parametrize("shape", [SHAPE, ROTATABLE])
def test_a_shifted_plane_is_drawn_shifted(shape: Shape) -> None:
    generator, w_plus = make(replace(shape, margin=16)), randn(2, 6, 6)  # what lies beyond the canvas is out of reach
    transform = generator.synthesis.input.transform
    transform.copy_(torch.eye(3))
    before = generator.synthesis(w_plus)
    transform[0, 2] = 4 / 16  # a pixel of the coarsest layer
    after = generator.synthesis(w_plus)
    torch.testing.assert_close(after[..., :-4], before[..., 4:], rtol=0, atol=1e-12)
    assert (after - before).abs().max() > 0.02


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_plane_is_drawn_turned(turns: int) -> None:
    generator, w_plus = make(ROTATABLE), randn(2, 6, 6)
    transform = generator.synthesis.input.transform
    transform.copy_(torch.eye(3))
    upright = generator.synthesis(w_plus)
    quarter = torch.tensor([[0.0, -1], [1, 0]], dtype=torch.float64)
    transform[:2, :2] = torch.linalg.matrix_power(quarter, turns)
    turned = generator.synthesis(w_plus)
    torch.testing.assert_close(turned, upright.rot90(turns, dims=(2, 3)), rtol=0, atol=1e-12)
    assert (turned - upright).abs().max() > 0.02


def test_a_smaller_image_is_the_average_of_the_full_one(tiny: StyleGAN3) -> None:
    w_plus = randn(2, 6, 6)
    full = tiny.synthesis(w_plus)
    assert full.shape == (2, 3, 16, 16)
    torch.testing.assert_close(
        tiny.synthesis(w_plus, resolution=4), full.unfold(2, 4, 4).unfold(3, 4, 4).mean((-2, -1))
    )


def test_an_image_does_not_depend_on_its_batch(tiny: StyleGAN3) -> None:
    w_plus = randn(3, 6, 6)
    torch.testing.assert_close(tiny.synthesis(w_plus)[1:2], tiny.synthesis(w_plus[1:2]), rtol=0, atol=1e-12)


def test_each_style_moves_the_image(tiny: StyleGAN3) -> None:
    w_plus = randn(1, 6, 6)
    for i in range(6):
        changed = w_plus.clone()
        changed[:, i] += 0.5
        assert (tiny.synthesis(changed) - tiny.synthesis(w_plus)).abs().max() > 0.01


@pytest.mark.parametrize("shape", [SMALLEST, replace(SMALLEST, kernel=1, radial=True, clamp=0.5)])
def test_the_gradient_in_the_code_can_be_differentiated_again(shape: Shape) -> None:
    generator = make(shape)
    draw: Callable[[Tensor], Tensor] = lambda w_plus: generator.synthesis(w_plus, resolution=2)  # noqa: E731
    w_plus = randn(1, 4, 3).requires_grad_()
    torch.autograd.gradcheck(draw, (w_plus,))
    torch.autograd.gradgradcheck(draw, (w_plus,))


@pytest.mark.parametrize(
    ("shape", "resolution"), [((1, 5, 6), None), ((1, 6, 7), None), ((6, 6), None), ((1, 6, 6), 3), ((1, 6, 6), 0)]
)
def test_what_cannot_be_drawn_is_refused(tiny: StyleGAN3, shape: tuple[int, ...], resolution: int | None) -> None:
    expected = r"w_plus must be \(N, 6, 6\)" if resolution is None else f"resolution must divide 16, got {resolution}"
    with pytest.raises(ValueError, match=expected):
        tiny.synthesis(randn(*shape), resolution=resolution)


@pytest.mark.parametrize(
    "change",
    [
        {"mapping": (8,)},
        {"channels": ()},
        {"channels": (5, 0, 3, 4)},
        {"c_dim": -1},
        {"kernel": 2},
        {"margin": -1},
        {"filter_size": 0},
        {"oversampling": 0},
        {"num_critical": 4},
        {"num_critical": -1},
        {"first_cutoff": 8.0},
        {"first_cutoff": 0.5},
        {"first_stopband": 1.0},
        {"last_stopband_rel": 1.0},
    ],
    ids=str,
)
def test_architectures_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"sizes that no StyleGAN3 can have|stopbands must be above their cutoffs"):
        replace(SHAPE, **change)
