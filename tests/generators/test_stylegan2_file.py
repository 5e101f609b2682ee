"""TensorFlow's StyleGAN2, drawn pixel by pixel from its variables, and what else files of StyleGAN2 may say."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentloop.generators.stylegan2 import StyleGAN2
from latentloop.generators.stylegan2_file import from_nvidia, from_tensors
from latentloop.generators.stylegan2_layouts import from_genforce, from_tensorflow

Array = NDArray[np.float64]
Values = dict[str, Array]
Z_DIM, W_DIM, CHANNELS = 5, 6, (4, 3, 2)
BLUR = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16


def variables(*, c_dim: int = 0, skip: bool = True) -> Values:
    """A network as TensorFlow's names and layouts have it, with random values."""
    shapes: dict[str, tuple[int, ...]] = {"dlatent_avg": (W_DIM,), "synthesis/4x4/Const/const": (1, CHANNELS[0], 4, 4)}
    if c_dim:
        shapes |= {"mapping/LabelEmbed/weight": (c_dim, 7), "mapping/LabelEmbed/bias": (7,)}
    for i, (before, after) in enumerate([(Z_DIM + 7 * bool(c_dim), 7), (7, W_DIM)]):
        shapes |= {f"mapping/Dense{i}/weight": (before, after), f"mapping/Dense{i}/bias": (after,)}
    number = 0
    for level, width in enumerate(CHANNELS):
        size, before = 4 << level, CHANNELS[max(level - 1, 0)]
        convs = {"Conv0_up": before, "Conv1": width} if level else {"Conv": width}
        for name, inputs in convs.items():
            scope = f"synthesis/{size}x{size}/{name}"
            shapes |= {f"{scope}/weight": (3, 3, inputs, width), f"{scope}/bias": (width,)}
            shapes |= {f"{scope}/mod_weight": (W_DIM, inputs), f"{scope}/mod_bias": (inputs,)}
            shapes |= {f"{scope}/noise_strength": (), f"synthesis/noise{number}": (1, 1, size, size)}
            number += 1
        if skip or level == len(CHANNELS) - 1:
            scope = f"synthesis/{size}x{size}/ToRGB" if skip else "synthesis/ToRGB_lod0"
            shapes |= {f"{scope}/weight": (1, 1, width, 3), f"{scope}/bias": (3,)}
            shapes |= {f"{scope}/mod_weight": (W_DIM, width), f"{scope}/mod_bias": (width,)}
    randomness = np.random.default_rng(0)
    # Training divides the mapping network's values by its learning-rate multiplier.
    scale = {name: 100 if name.startswith("mapping/Dense") else 1 for name in shapes}
    return {name: np.array(scale[name] * randomness.standard_normal(shape)) for name, shape in shapes.items()}


def slow_mapping(values: Values, z: Array, labels: Array | None, lr_multiplier: float) -> Array:
    x: Array = unit(z)
    if labels is not None:
        weight = values["mapping/LabelEmbed/weight"]
        embedded = labels @ weight / math.sqrt(len(weight)) + values["mapping/LabelEmbed/bias"]
        x = np.concatenate([x, unit(embedded)], axis=1)
    for i in range(2):
        weight, bias = values[f"mapping/Dense{i}/weight"], values[f"mapping/Dense{i}/bias"]
        x = activated(x @ weight * lr_multiplier / math.sqrt(len(weight)) + bias * lr_multiplier)
    return x


def unit(x: Array) -> Array:
    return np.asarray(x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-8))


def activated(x: Array) -> Array:
    return np.asarray(np.where(x > 0, x, 0.2 * x) * math.sqrt(2))


def modulated(values: Values, scope: str, w: Array, *, demodulate: bool) -> Array:
    """The weight (kh, kw, in, out) that one image's style makes."""
    weight = values[f"{scope}/weight"]
    style = w @ values[f"{scope}/mod_weight"] / math.sqrt(W_DIM) + values[f"{scope}/mod_bias"] + 1
    weight = weight / math.sqrt(np.prod(weight.shape[:3])) * style[:, None]
    return np.asarray(weight / np.sqrt((weight**2).sum(axis=(0, 1, 2)) + 1e-8) if demodulate else weight)


def correlate(x: Array, weight: Array, padding: int) -> Array:
    """(in, H, W) with (kh, kw, in, out)."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    height, width = x.shape[1] - len(weight) + 1, x.shape[2] - len(weight) + 1
    y = np.zeros((weight.shape[3], height, width))
    for i, j in np.ndindex(weight.shape[:2]):
        y += np.einsum("chw,co->ohw", x[:, i : i + height, j : j + width], weight[i, j])
    return y


def blurred(x: Array, before: int, after: int) -> Array:
    kernel = np.einsum("ij,co->ijco", BLUR, np.eye(len(x)))
    return correlate(np.pad(x, ((0, 0), (before, after), (before, after))), kernel, 0)


def painted(x: Array, weight: Array) -> Array:
    """Every pixel paints the kernel, turned round, two pixels from where its neighbour does; then all is blurred."""
    size = x.shape[1]
    canvas = np.zeros((weight.shape[3], 2 * size + 1, 2 * size + 1))
    for i, j in np.ndindex(3, 3):
        painting = np.einsum("chw,co->ohw", x, weight[2 - i, 2 - j])
        canvas[:, i : i + 2 * size : 2, j : j + 2 * size : 2] += painting
    return blurred(canvas, 1, 1)


def doubled(image: Array) -> Array:
    canvas = np.zeros((len(image), 2 * image.shape[1], 2 * image.shape[2]))
    canvas[:, ::2, ::2] = image
    return blurred(canvas, 2, 1)


def slow_draw(values: Values, ws: Array, clamp: float) -> Array:
    """One image, styles (num_ws, w_dim)."""
    x, image, number = values["synthesis/4x4/Const/const"][0], np.zeros((3, 2, 2)), 0
    for level in range(len(CHANNELS)):
        size = 4 << level
        for name in ("Conv0_up", "Conv1") if level else ("Conv",):
            scope = f"synthesis/{size}x{size}/{name}"
            weight = modulated(values, scope, ws[number], demodulate=True)
            x = painted(x, weight) if name == "Conv0_up" else correlate(x, weight, 1)
            x = x + values[f"{scope}/noise_strength"] * values[f"synthesis/noise{number}"][0, 0]
            x = activated(x + values[f"{scope}/bias"][:, None, None]).clip(-clamp, clamp)
            number += 1
        scope = f"synthesis/{size}x{size}/ToRGB"
        last = level == len(CHANNELS) - 1
        scope = scope if f"{scope}/weight" in values or not last else "synthesis/ToRGB_lod0"
        image = doubled(image)
        if f"{scope}/weight" in values:
            rgb = correlate(x, modulated(values, scope, ws[number], demodulate=False), 0)
            image = image + (rgb + values[f"{scope}/bias"][:, None, None]).clip(-clamp, clamp)
    return image


def tensors(values: Values) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in values.items()}


def read(values: Values, settings: dict[str, Any]) -> StyleGAN2:
    found, about = from_nvidia(*from_tensorflow(tensors(values), settings))
    return from_tensors(found, about, name="tiny", fingerprint="")


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("clamp", [None, 0.7])
def test_tensorflows_values_draw_as_in_training(skip: bool, clamp: float | None) -> None:
    values = variables(skip=skip)
    generator = read(values, {} if clamp is None else {"conv_clamp": clamp})
    w_plus = torch.randn(2, 6, W_DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = np.stack([slow_draw(values, ws, math.inf if clamp is None else clamp) for ws in w_plus.numpy()])
    assert expected.std() > 0.1
    # The 1e-8 within a norm is of weights that carry their gain there, and of those that do not here and in PyTorch.
    np.testing.assert_allclose(generator.synthesis(w_plus).numpy(), expected, rtol=0, atol=1e-7)
    assert generator.shape.skip == skip


@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("settings", [{}, {"mapping_lrmul": 0.1}])
def test_tensorflows_values_map_as_in_training(c_dim: int, settings: dict[str, float]) -> None:
    values, generator = variables(c_dim=c_dim), read(variables(c_dim=c_dim), settings)
    z = torch.randn(2, Z_DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.eye(3, dtype=torch.float64)[:2] if c_dim else None
    expected = slow_mapping(
        values, z.numpy(), None if labels is None else labels.numpy(), settings.get("mapping_lrmul", 0.01)
    )
    np.testing.assert_allclose(generator.mapping(z, labels).numpy(), expected, rtol=1e-12)
    assert (generator.z_dim, generator.c_dim) == (Z_DIM, c_dim)


def test_a_network_without_noise_draws_as_with_none() -> None:
    values = variables()
    silent = {name: value for name, value in values.items() if "noise" not in name}
    w_plus = torch.randn(1, 6, W_DIM, dtype=torch.float64)
    torch.testing.assert_close(read(silent, {}).synthesis(w_plus), read(values, {}).synthesis(w_plus, noise="none"))


def test_maps_that_a_file_lacks_are_the_same_ones_each_time() -> None:
    values = variables()
    lacking = {name: value for name, value in values.items() if not name.startswith("synthesis/noise")}
    w_plus = torch.randn(1, 6, W_DIM, dtype=torch.float64)
    first, again = (read(lacking, {}).synthesis(w_plus) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, read(lacking, {}).synthesis(w_plus, noise="none"))


def test_grey_images_get_three_equal_channels() -> None:
    values = variables()
    grey = {n: v[..., :1] if "ToRGB/weight" in n or "ToRGB/bias" in n else v for n, v in values.items()}
    w_plus = torch.randn(1, 6, W_DIM, dtype=torch.float64)
    image = read(grey, {}).synthesis(w_plus)
    torch.testing.assert_close(image, read(values, {}).synthesis(w_plus)[:, :1].expand_as(image))


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({"synthesis/8x8/Skip/weight": np.zeros((1, 1, 4, 3))}, {}, "residual connections is not supported"),
        ({"synthesis/lod": np.array(1.5)}, {}, r"level of detail 1\.5"),
        ({"mapping/LabelConcat/weight": np.zeros((3, 3))}, {}, "conditional StyleGAN2 from before ADA"),
        ({}, {"resample_kernel": [1, 1]}, r"resample_kernel \[1, 1\] is not supported, only \[1, 3, 3, 1\]"),
        ({}, {"nonlinearity": "relu"}, "nonlinearity 'relu' is not supported"),
        ({}, {"normalize_latents": False}, "normalize_latents False is not supported"),
    ],
)
def test_networks_that_we_do_not_draw_are_refused(change: Values, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(variables() | change, settings)


def test_classes_of_genforce_are_refused() -> None:
    with pytest.raises(ValueError, match="conditional network of genforce"):
        from_genforce({"mapping.label_weight": torch.zeros(1)})


def test_other_activations_are_refused() -> None:
    found, about = from_tensorflow(tensors(variables()), {})
    with pytest.raises(ValueError, match="activation 'relu' is not supported"):
        from_nvidia(found, about | {"activation": "relu"})


def test_where_the_clamp_is_told() -> None:
    found, _ = from_tensorflow(tensors(variables()), {})
    for settings, clamp in (
        ({}, None),
        ({"synthesis_kwargs": {"conv_clamp": 256}}, 256),  # stylegan2-ada-pytorch
        ({"conv_clamp": 128, "synthesis_kwargs": {}}, 128),  # layers of its files, and of stylegan3's
        ({"conv_clamp": None, "synthesis_kwargs": {"conv_clamp": 256}}, None),
    ):
        assert from_nvidia(found, settings)[1] == {"clamp": clamp}
