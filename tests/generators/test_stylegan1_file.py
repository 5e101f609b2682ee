import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.generators.stylegan1 import Shape, StyleGAN1
from latentloop.generators.stylegan1_file import find_shape, from_genforce, from_tensorflow, from_tensors
from stylegan1_tensors import DEPTH, W_DIM, Z_DIM, Array, variables

SMALL = (4, 3, 2)
"""Channels at 4, 8 and 16 pixels."""
LARGE = (3, 3, 2, 2, 2, 2)
"""Up to 128 pixels, where TensorFlow fuses upsampling and convolution."""


def slow_conv(x: Array, kernel: Array) -> Array:
    """A convolution by (3, 3, in, out)."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    y = np.zeros((len(x), kernel.shape[3], *x.shape[2:]))
    for i, j in np.ndindex(3, 3):
        y += np.einsum("nchw,co->nohw", padded[:, :, i : i + x.shape[2], j : j + x.shape[3]], kernel[i, j])
    return y


def slow_fused_up(x: Array, kernel: Array) -> Array:
    """Every pixel paints four shifted copies of the kernel, two pixels apart from its neighbours."""
    size = x.shape[-1]
    canvas = np.zeros((len(x), kernel.shape[3], 2 * size + 2, 2 * size + 2))
    for a, b, i, j in np.ndindex(2, 2, 3, 3):
        row, column = a + i, b + j
        canvas[:, :, row : row + 2 * size : 2, column : column + 2 * size : 2] += np.einsum(
            "nchw,co->nohw", x, kernel[i, j]
        )
    return canvas[:, :, 1:-1, 1:-1]


def slow_blur(x: Array) -> Array:
    channels = x.shape[1]
    kernel = np.einsum("i,j,co->ijco", [0.25, 0.5, 0.25], [0.25, 0.5, 0.25], np.eye(channels))
    return slow_conv(x, kernel)


def slow_epilogue(x: Array, layer: dict[str, Array], noise: Array, w: Array) -> Array:
    x = x + layer["Noise/weight"][:, None, None] * noise + layer["bias"][:, None, None]
    x = np.where(x > 0, x, 0.2 * x)
    x = x - x.mean(axis=(2, 3), keepdims=True)
    x = x / np.sqrt((x**2).mean(axis=(2, 3), keepdims=True) + 1e-8)
    style = w @ layer["StyleMod/weight"] / math.sqrt(W_DIM) + layer["StyleMod/bias"]
    scale, shift = style.reshape(len(w), 2, -1, 1, 1).transpose(1, 0, 2, 3, 4)
    styled: Array = x * (scale + 1) + shift
    return styled


def slow_draw(values: dict[str, Array], w_plus: Array, *, fused_from: float) -> Array:
    """Draw with TensorFlow's values as training does: gains that equalise learning rates are applied on the way."""
    levels = sum(name.endswith("/Conv1/weight") for name in values) + 1
    x = np.repeat(values["synthesis/4x4/Const/const"], len(w_plus), axis=0)
    for i in range(2 * levels):
        size = 4 << (i // 2)
        name = ("Conv1" if i % 2 else "Conv0_up") if i > 1 else ("Conv" if i else "Const")
        scope = f"synthesis/{size}x{size}/{name}/"
        layer = {key.removeprefix(scope): value for key, value in values.items() if key.startswith(scope)}
        if i > 0:
            kernel = layer["weight"] * math.sqrt(2 / (9 * x.shape[1]))
            if i % 2:
                x = slow_conv(x, kernel)
            elif size >= fused_from:
                x = slow_blur(slow_fused_up(x, kernel))
            else:
                x = slow_blur(slow_conv(x.repeat(2, axis=2).repeat(2, axis=3), kernel))
        x = slow_epilogue(x, layer, values[f"synthesis/noise{i}"], w_plus[:, i])
    weight = values["synthesis/ToRGB_lod0/weight"][0, 0] / math.sqrt(x.shape[1])
    image: Array = np.einsum("nchw,co->nohw", x, weight) + values["synthesis/ToRGB_lod0/bias"][:, None, None]
    return image


def slow_mapping(values: dict[str, Array], z: Array, lr_multiplier: float) -> Array:
    x: Array = z / np.sqrt((z**2).mean(axis=1, keepdims=True) + 1e-8)
    for i in range(DEPTH):
        weight, bias = values[f"mapping/Dense{i}/weight"], values[f"mapping/Dense{i}/bias"]
        x = x @ weight * (math.sqrt(2 / x.shape[1]) * lr_multiplier) + bias * lr_multiplier
        x = np.where(x > 0, x, 0.2 * x)
    return x


def genforce_names(values: dict[str, Array]) -> dict[str, Tensor]:
    """The same network as genforce and sefa name and lay it out."""
    levels = sum(name.endswith("/Conv1/weight") for name in values) + 1
    renamed = {}
    for name, value in values.items():
        new = name.replace("dlatent_avg", "truncation.w_avg").replace("mapping/Dense", "mapping.dense")
        new = new.replace("synthesis/", "synthesis.").replace("Noise/weight", "apply_noise.weight")
        new = re.sub(r"noise(\d+)", r"layer\1.apply_noise.noise", new).replace("StyleMod", "style")
        new = re.sub(r"ToRGB_lod(\d+)", lambda found: f"output{levels - 1 - int(found[1])}", new)
        for level in range(levels):
            for k, layers in enumerate(("Const|Conv0_up", "Conv|Conv1")):
                new = re.sub(rf"{4 << level}x{4 << level}/({layers})/", f"layer{2 * level + k}.", new)
        tensor = torch.from_numpy(value)
        if new.endswith("weight"):
            tensor = tensor.permute(3, 2, 0, 1) if value.ndim == 4 else tensor.T if value.ndim == 2 else tensor
        renamed[new.replace("/", ".")] = tensor
    for level in range(1, levels):
        kernel = torch.tensor([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
        width = len(renamed[f"synthesis.layer{2 * level}.bias"])
        renamed[f"synthesis.layer{2 * level}.blur.kernel"] = kernel.expand(width, 1, 3, 3)
    return renamed


def older_names(values: dict[str, Array], *, fused_from: int, dense: str, const: str) -> dict[str, Tensor]:
    """The same network as interfacegan and idinvert_pytorch name and lay it out."""
    renamed = {}
    for name, value in genforce_names(values).items():
        new = re.sub(r"(dense\d+)\.weight", rf"\1.{dense}.weight", name)
        new = re.sub(r"(dense\d+)\.bias", r"\1.wscale.bias", new)
        new = re.sub(r"(output\d+)\.weight", r"\1.conv.weight", new)
        new = re.sub(r"style\.weight", rf"style_mod.dense.{dense}.weight", new)
        new = re.sub(r"style\.bias", "style_mod.dense.wscale.bias", new).replace("layer0.const", f"layer0.{const}")
        new = re.sub(r"(layer\d+)\.(bias|apply_noise|style_mod)", r"\1.epilogue.\2", new)
        tensor = value
        if found := re.fullmatch(r"synthesis\.layer(\d+)\.weight", new):
            layer = int(found[1])
            if layer % 2 or 4 << (layer // 2) < fused_from:
                new = f"synthesis.layer{layer}.conv.weight"
            else:
                tensor = value.permute(2, 3, 1, 0)
        renamed[new] = tensor
    return renamed | {"truncation.truncation": torch.ones(1, 1, 1)}


def build(converted: tuple[dict[str, Tensor], dict[str, Any]]) -> StyleGAN1:
    return from_tensors(*converted, name="tiny", fingerprint="")


def codes(channels: tuple[int, ...]) -> Tensor:
    randomness = torch.Generator().manual_seed(0)
    return torch.randn(1, 2 * len(channels), W_DIM, generator=randomness, dtype=torch.float64)


def close(found: Tensor, expected: Array) -> None:
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("channels", "fused_scale", "fused_from"),
    [(SMALL, True, 0), (SMALL, False, math.inf), (SMALL, "auto", 128), (LARGE, "auto", 128)],
)
def test_tensorflows_values_draw_as_in_training(
    channels: tuple[int, ...], fused_scale: bool | str, fused_from: float
) -> None:
    values, w_plus = variables(channels), codes(channels)
    generator = build(from_tensorflow(values, {"fused_scale": fused_scale}))
    close(generator.synthesis(w_plus), slow_draw(values, w_plus.numpy(), fused_from=fused_from))
    close(generator.latent_avg, values["dlatent_avg"])


@pytest.mark.parametrize("settings", [{}, {"mapping_lrmul": 0.02}])
def test_tensorflows_values_map_as_in_training(settings: dict[str, float]) -> None:
    values, z = variables(SMALL), torch.randn(2, Z_DIM, generator=torch.Generator().manual_seed(0)).double()
    generator = build(from_tensorflow(values, settings))
    close(generator.mapping(z), slow_mapping(values, z.numpy(), settings.get("mapping_lrmul", 0.01)))


@pytest.mark.parametrize("channels", [SMALL, LARGE])
def test_all_layouts_of_a_network_become_the_same_tensors(channels: tuple[int, ...]) -> None:
    values = variables(channels)
    expected, settings = from_tensorflow(values, {})
    others = [
        genforce_names(values),
        older_names(values, fused_from=128, dense="fc", const="const"),
        older_names(values, fused_from=128, dense="linear", const="first_layer"),
    ]
    for tensors in others:
        found, found_settings = from_genforce(tensors, {})
        assert found_settings == settings == {"tanh": False}
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
        assert all(tensor.is_contiguous() for tensor in found.values())


def test_fused_kernels_are_known_by_setting_or_by_name() -> None:
    values = variables(SMALL)
    expected, _ = from_tensorflow(values, {"fused_scale": True})
    by_setting, _ = from_genforce(genforce_names(values), {"fused_scale": True})
    by_name, _ = from_genforce(older_names(values, fused_from=0, dense="fc", const="const"), {})
    for found in (by_setting, by_name):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("mean", [(W_DIM,), (6, W_DIM), (6 * W_DIM,)])
def test_layerwise_networks_map_to_w_plus_and_end_in_tanh(mean: tuple[int, ...]) -> None:
    values = variables(SMALL, last_width=6 * W_DIM)
    means = np.random.default_rng(1).standard_normal(mean)
    tensors = older_names(values | {"dlatent_avg": means}, fused_from=128, dense="fc", const="const")
    generator = build(from_genforce(tensors, {}))
    z, w_plus = torch.randn(2, Z_DIM, generator=torch.Generator().manual_seed(0)).double(), codes(SMALL)
    close(generator.mapping(z), slow_mapping(values, z.numpy(), 0.01).reshape(2, 6, W_DIM))
    close(generator.latent_avg, np.broadcast_to(means.reshape(-1, W_DIM), (6, W_DIM)))
    linear = slow_draw(values, w_plus.numpy(), fused_from=128)
    close(generator.synthesis(w_plus), np.tanh(linear))
    close(build(from_genforce(tensors, {"final_tanh": False})).synthesis(w_plus), linear)


def test_grey_images_get_three_equal_channels() -> None:
    values, w_plus = variables(SMALL), codes(SMALL)
    grey = {name: value[..., :1] if "ToRGB_lod0" in name else value for name, value in values.items()}
    image = build(from_tensorflow(grey, {})).synthesis(w_plus)
    close(image, np.repeat(slow_draw(values, w_plus.numpy(), fused_from=128)[:, :1], 3, axis=1))


def test_a_network_without_noise_has_none() -> None:
    values = variables(SMALL)
    silent = {name: value for name, value in values.items() if "noise" not in name.lower()}
    w_plus = codes(SMALL)
    found = build(from_tensorflow(silent, {})).synthesis(w_plus)
    close(found, build(from_tensorflow(values, {})).synthesis(w_plus, noise="none").numpy())


@pytest.mark.parametrize("last_width", [W_DIM, 6 * W_DIM])
def test_a_file_without_a_mean_latent_is_converted_without(last_width: int) -> None:
    values = variables(SMALL, last_width=last_width)
    whole, _ = from_tensorflow(values, {})
    found, _ = from_tensorflow({name: value for name, value in values.items() if name != "dlatent_avg"}, {})
    assert whole.keys() - found.keys() == {"latent_avg"}


@pytest.mark.parametrize(
    "shape",
    [Shape((5, 7, 6), (4, 3, 2)), Shape((5, 6), (3,), tanh=True), Shape((5, 7, 24), (4, 3), layerwise=True)],
)
def test_a_network_comes_back_from_its_tensors(shape: Shape) -> None:
    generator, settings = StyleGAN1(shape, name="tiny", fingerprint=""), {"tanh": shape.tanh}
    tensors = generator.state_dict()
    assert find_shape(tensors, settings) == shape
    again = from_tensors(tensors, settings, name="tiny", fingerprint="f")
    assert (again.name, again.fingerprint, again.shape) == ("tiny", "f", shape)
    assert not any(p.requires_grad for p in again.parameters())
    w_plus = torch.zeros(1, shape.num_ws, shape.w_dim)
    assert torch.equal(again.synthesis(w_plus), generator.synthesis(w_plus))


@pytest.mark.parametrize("layerwise", [False, True])
def test_any_missing_tensor_is_refused(layerwise: bool) -> None:
    whole = StyleGAN1(Shape((5, 7, 24 if layerwise else 6), (4, 3), layerwise=layerwise), name="", fingerprint="")
    for missing in whole.state_dict():
        rest = {name: tensor for name, tensor in whole.state_dict().items() if name != missing}
        with pytest.raises(RuntimeError, match=r"(?i)missing"):
            from_tensors(rest, {}, name="tiny", fingerprint="")


@pytest.mark.parametrize("misshapen", ["mapping.fc.0.weight", "synthesis.convs.1.weight", "latent_avg"])
def test_misshapen_tensors_are_refused(misshapen: str) -> None:
    tensors = StyleGAN1(Shape((5, 7, 6), (4, 3)), name="", fingerprint="").state_dict()
    for wrong in (torch.zeros(3, 3), torch.zeros(())):
        with pytest.raises(RuntimeError):
            from_tensors({**tensors, misshapen: wrong}, {}, name="tiny", fingerprint="")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_size": 10}, "label_size 10 is not supported, only 0"),
        ({"use_instance_norm": False}, "use_instance_norm False is not supported"),
        ({"blur_filter": [1, 3, 3, 1]}, r"blur_filter \[1, 3, 3, 1\] is not supported"),
    ],
)
def test_networks_that_we_do_not_draw_are_refused(settings: dict[str, Any], message: str) -> None:
    values = variables(SMALL)
    with pytest.raises(ValueError, match=message):
        from_tensorflow(values, settings)
    with pytest.raises(ValueError, match=message):
        from_genforce(genforce_names(values), settings)
    from_tensorflow(values, {"label_size": 0, "blur_filter": [1, 2, 1], "truncation_psi": 0.7})


def test_networks_that_tensors_tell_we_do_not_draw_are_refused() -> None:
    values, kernel = variables(SMALL), "synthesis.layer2.blur.kernel"
    with pytest.raises(ValueError, match=r"level of detail 1\.5"):
        from_tensorflow(values | {"synthesis/lod": np.array(1.5)}, {})
    with pytest.raises(ValueError, match="classes"):
        from_tensorflow(values | {"mapping/LabelConcat/weight": np.zeros((10, 5))}, {})
    theirs = genforce_names(values)
    for wrong in (torch.ones(3, 1, 3, 3) / 9, torch.ones(3, 1, 4, 4) / 16):
        with pytest.raises(ValueError, match=rf"{kernel}: a filter"):
            from_genforce({**theirs, kernel: wrong}, {})
    for nothing in (from_tensorflow, from_genforce):
        with pytest.raises(LookupError):
            nothing({}, {})
