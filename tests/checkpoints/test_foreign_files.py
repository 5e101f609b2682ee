"""A small StyleGAN2 is written in every layout, read back, and draws the same."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.generators import StyleGAN2, load_generator
from latentloop.generators.stylegan2 import Shape

FILTER = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64
SIZES = (4, 8, 16)


@pytest.fixture
def tiny() -> StyleGAN2:
    """All its numbers at random; channels differ from block to block."""
    shape = Shape(mapping=(8, 7, 6), channels=(5, 4, 3))
    generator = StyleGAN2(shape, name="tiny", fingerprint="0").requires_grad_(False)
    randomness = torch.Generator().manual_seed(0)
    for tensor in (*generator.parameters(), *generator.buffers()):
        tensor.copy_(torch.randn(tensor.shape, generator=randomness))
    return generator


def nvidia(generator: StyleGAN2) -> dict[str, Tensor]:
    """With the gains taken out that NVIDIA applies when drawing."""

    def linear(name: str, layer: object, multiplier: float = 1.0) -> dict[str, Tensor]:
        assert isinstance(layer, torch.nn.Linear)
        weight = layer.weight * math.sqrt(layer.weight.shape[1]) / multiplier
        return {f"{name}.weight": weight, f"{name}.bias": layer.bias / multiplier}

    names = ["b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"]
    tensors = {"mapping.w_avg": generator.latent_avg, "synthesis.b4.const": generator.synthesis.const}
    for i, layer in enumerate(generator.mapping.fc):
        tensors |= linear(f"mapping.fc{i}", layer, 0.01)
    for name, conv in zip(names, generator.synthesis.layers, strict=True):
        tensors |= linear(f"synthesis.{name}.affine", conv.affine)
        tensors |= {f"synthesis.{name}.{part}": getattr(conv, part) for part in ("weight", "bias", "noise_strength")}
        tensors |= {f"synthesis.{name}.noise_const": conv.noise_const, f"synthesis.{name}.resample_filter": FILTER}
    for size, rgb in zip(SIZES, generator.synthesis.drawing, strict=True):
        tensors |= linear(f"synthesis.b{size}.torgb.affine", rgb.affine)
        tensors[f"synthesis.b{size}.torgb.weight"] = (rgb.weight * math.sqrt(rgb.weight.shape[1]))[:, :, None, None]
        tensors[f"synthesis.b{size}.torgb.bias"] = rgb.bias
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def rosinality(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    tensors = {"input.input": theirs["synthesis.b4.const"][None]}
    tensors |= {f"style.{i + 1}.{p}": theirs[f"mapping.fc{i}.{p}"] for i in (0, 1) for p in ("weight", "bias")}
    convs = {"b4.conv1": "conv1", "b8.conv0": "convs.0", "b8.conv1": "convs.1", "b16.conv0": "convs.2"}
    for i, (b, c) in enumerate((convs | {"b16.conv1": "convs.3"}).items()):
        tensors[f"{c}.conv.weight"] = theirs[f"synthesis.{b}.weight"][None]
        tensors[f"{c}.conv.modulation.weight"] = theirs[f"synthesis.{b}.affine.weight"]
        tensors[f"{c}.conv.modulation.bias"] = theirs[f"synthesis.{b}.affine.bias"]
        tensors[f"{c}.noise.weight"] = theirs[f"synthesis.{b}.noise_strength"][None]
        tensors[f"{c}.activate.bias"] = theirs[f"synthesis.{b}.bias"]
        tensors[f"noises.noise_{i}"] = theirs[f"synthesis.{b}.noise_const"][None, None]
    for b, c in {"b4": "to_rgb1", "b8": "to_rgbs.0", "b16": "to_rgbs.1"}.items():
        tensors[f"{c}.conv.weight"] = theirs[f"synthesis.{b}.torgb.weight"][None]
        tensors[f"{c}.conv.modulation.weight"] = theirs[f"synthesis.{b}.torgb.affine.weight"]
        tensors[f"{c}.conv.modulation.bias"] = theirs[f"synthesis.{b}.torgb.affine.bias"]
        tensors[f"{c}.bias"] = theirs[f"synthesis.{b}.torgb.bias"].reshape(1, 3, 1, 1)
    return tensors | {"convs.0.conv.blur.kernel": 4 * FILTER, "to_rgbs.0.upsample.kernel": 4 * FILTER}


def tensorflow(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    variables = {"dlatent_avg": theirs["mapping.w_avg"], "lod": torch.zeros(())}
    variables["synthesis/4x4/Const/const"] = theirs["synthesis.b4.const"][None]
    for i in (0, 1):
        variables[f"mapping/Dense{i}/weight"] = theirs[f"mapping.fc{i}.weight"].t()
        variables[f"mapping/Dense{i}/bias"] = theirs[f"mapping.fc{i}.bias"]
    layers = {
        "b4.conv1": "4x4/Conv",
        "b8.conv0": "8x8/Conv0_up",
        "b8.conv1": "8x8/Conv1",
        "b16.conv0": "16x16/Conv0_up",
    }
    layers |= {"b16.conv1": "16x16/Conv1"} | {f"b{size}.torgb": f"{size}x{size}/ToRGB" for size in SIZES}
    for i, (b, t) in enumerate(layers.items()):
        weight = theirs[f"synthesis.{b}.weight"].permute(2, 3, 1, 0)  # to H, W, in, out
        variables[f"synthesis/{t}/weight"] = weight.flip(0, 1) if "up" in t else weight
        variables[f"synthesis/{t}/mod_weight"] = theirs[f"synthesis.{b}.affine.weight"].t()
        variables[f"synthesis/{t}/mod_bias"] = theirs[f"synthesis.{b}.affine.bias"] - 1
        variables[f"synthesis/{t}/bias"] = theirs[f"synthesis.{b}.bias"]
        if "ToRGB" not in t:
            variables[f"synthesis/{t}/noise_strength"] = theirs[f"synthesis.{b}.noise_strength"]
            variables[f"synthesis/noise{i}"] = theirs[f"synthesis.{b}.noise_const"][None, None]
    return {name: variable.contiguous() for name, variable in variables.items()}


def genforce(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    tensors = {"truncation.w_avg": theirs["mapping.w_avg"]}
    tensors["synthesis.early_layer.const"] = theirs["synthesis.b4.const"][None]
    tensors |= {f"mapping.dense{i}.{p}": theirs[f"mapping.fc{i}.{p}"] for i in (0, 1) for p in ("weight", "bias")}
    layers = ["b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"]
    named = {b: f"layer{i}" for i, b in enumerate(layers)} | {
        f"b{size}.torgb": f"output{i}" for i, size in enumerate(SIZES)
    }
    for b, g in named.items():
        weight = theirs[f"synthesis.{b}.weight"]
        tensors[f"synthesis.{g}.weight"] = weight.flip(2, 3) if b.endswith("conv0") else weight
        tensors[f"synthesis.{g}.bias"] = theirs[f"synthesis.{b}.bias"]
        tensors[f"synthesis.{g}.style.weight"] = theirs[f"synthesis.{b}.affine.weight"]
        tensors[f"synthesis.{g}.style.bias"] = theirs[f"synthesis.{b}.affine.bias"] - 1
        if "conv" in b:
            tensors[f"synthesis.{g}.noise_strength"] = theirs[f"synthesis.{b}.noise_strength"]
            tensors[f"synthesis.{g}.noise"] = theirs[f"synthesis.{b}.noise_const"][None, None]
    return tensors


@pytest.fixture
def save(tmp_path: Path) -> Callable[[object], Path]:
    def write(content: object) -> Path:
        torch.save(content, tmp_path / "file.bin")
        return tmp_path / "file.bin"

    return write


def check(path: Path, tiny: StyleGAN2) -> None:
    """The file's network draws as this one does, whatever the style of each layer."""
    loaded = load_generator(path)
    w_plus = torch.randn(2, 6, 6, generator=torch.Generator().manual_seed(1))
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(loaded.synthesis(w_plus), tiny.synthesis(w_plus), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(loaded.mapping(z), tiny.mapping(z), rtol=1e-5, atol=1e-5)
    assert (loaded.resolution, loaded.num_ws, loaded.z_dim, loaded.c_dim, loaded.w_dim) == (16, 6, 8, 0, 6)


@pytest.mark.parametrize("protocol", [2, 4])
def test_nvidia_in_pytorch(tiny: StyleGAN2, write_nvidia: Callable[..., Path], protocol: int) -> None:
    path = write_nvidia(nvidia(tiny), {"z_dim": 8}, protocol=protocol)
    check(path, tiny)
    torch.testing.assert_close(load_generator(path).latent_avg, tiny.latent_avg)


def test_nvidia_in_tensorflow(tiny: StyleGAN2, write_tensorflow: Callable[..., Path]) -> None:
    path = write_tensorflow(tensorflow(nvidia(tiny)), {"resolution": 16})
    check(path, tiny)
    torch.testing.assert_close(load_generator(path).latent_avg, tiny.latent_avg)


@pytest.mark.parametrize("shape", [(6,), (1, 6), (3, 6)])
def test_rosinality_converted(tiny: StyleGAN2, save: Callable[[object], Path], shape: tuple[int, ...]) -> None:
    path = save({"g_ema": rosinality(nvidia(tiny)), "latent_avg": tiny.latent_avg.expand(shape)})
    check(path, tiny)
    torch.testing.assert_close(load_generator(path).latent_avg, tiny.latent_avg)


def test_rosinality_in_training_has_its_mean_latent_estimated(
    tiny: StyleGAN2, save: Callable[[object], Path], run: Callable[..., tuple[int, list[str], list[str]]]
) -> None:
    path = save({"g": {}, "d": {}, "g_ema": rosinality(nvidia(tiny)), "g_optim": {"state": {}}, "args": None})
    check(path, tiny)
    loaded = load_generator(path)
    samples = tiny.mapping(torch.randn(100_000, 8, generator=torch.Generator().manual_seed(7)))
    error = samples.std(dim=0) / math.sqrt(32768)
    assert ((loaded.latent_avg - samples.mean(dim=0)).abs() < 6 * error).all()
    assert torch.equal(loaded.latent_avg, load_generator(path).latent_avg)
    assert "latent_avg  estimated from samples, the file lacks it" in run("inspect", path)[1]


def test_genforce(tiny: StyleGAN2, save: Callable[[object], Path]) -> None:
    check(save({"generator": {}, "discriminator": {}, "generator_smooth": genforce(nvidia(tiny))}), tiny)


def test_an_encoder_with_its_generator(tiny: StyleGAN2, save: Callable[[object], Path]) -> None:
    decoder = {f"decoder.{name}": tensor for name, tensor in rosinality(nvidia(tiny)).items()}
    path = save({"state_dict": decoder | {"encoder.x": torch.zeros(1)}, "latent_avg": tiny.latent_avg, "opts": {}})
    check(path, tiny)


def test_all_layouts_of_one_network_share_its_latent_space(
    tiny: StyleGAN2, save: Callable[[object], Path], write_nvidia: Callable[..., Path]
) -> None:
    theirs = nvidia(tiny)
    converted = save({"g_ema": rosinality(theirs), "latent_avg": tiny.latent_avg})
    assert load_generator(write_nvidia(theirs, {})).fingerprint == load_generator(converted).fingerprint


def test_settings_that_no_tensor_tells_are_kept(
    tiny: StyleGAN2,
    write_nvidia: Callable[..., Path],
    tmp_path: Path,
    run: Callable[..., tuple[int, list[str], list[str]]],
) -> None:
    path = write_nvidia(nvidia(tiny), {"synthesis_kwargs": {"conv_clamp": 0.5}})
    ours = tmp_path / "ours.safetensors"
    code, said, _ = run("convert", path, ours)
    assert code == 0
    assert said[0] == "layout      StyleGAN2 of NVIDIA in PyTorch"
    w_plus = torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(load_generator(ours).synthesis(w_plus), load_generator(path).synthesis(w_plus))
    assert not torch.allclose(load_generator(ours).synthesis(w_plus), tiny.synthesis(w_plus))


def test_a_converted_file_in_half_precision_keeps_the_latent_space(
    tiny: StyleGAN2,
    write_nvidia: Callable[..., Path],
    tmp_path: Path,
    run: Callable[..., tuple[int, list[str], list[str]]],
) -> None:
    path, whole, half = write_nvidia(nvidia(tiny), {}), tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    assert run("convert", path, whole)[0] == run("convert", path, half, "--half")[0] == 0
    w_plus = torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(1))
    exact, rough = load_generator(whole), load_generator(half)
    assert exact.fingerprint == rough.fingerprint == load_generator(path).fingerprint
    torch.testing.assert_close(exact.synthesis(w_plus), load_generator(path).synthesis(w_plus))
    difference = rough.synthesis(w_plus) - exact.synthesis(w_plus)
    assert 0 < difference.abs().max() < 0.01 * exact.synthesis(w_plus).abs().max()
    assert half.stat().st_size < whole.stat().st_size


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"synthesis.b8.conv1.weight": None}, "but synthesis.b8.conv1.weight is missing"),
        (
            {"synthesis.b8.conv1.bias": torch.full((4,), math.nan)},
            "synthesis.convs.2.bias has numbers that are not finite",
        ),
        ({"synthesis.b8.conv0.resample_filter": torch.ones(2, 2)}, r"filter of \(2, 2\) that is not \[1, 3, 3, 1\]"),
        ({"synthesis.b8.skip.weight": torch.zeros(1)}, "residual connections is not supported"),
        ({"synthesis.b16.torgb.weight": torch.zeros(4, 3, 1, 1)}, "draws 4 colours, not 3"),
        (
            {"synthesis.b8.conv1.weight": torch.zeros(4, 9, 3, 3)},
            "its tensors do not fit a stylegan2: .*convs.2.weight",
        ),
        ({"synthesis.b4.const": torch.zeros(5, 4, 5)}, "its tensors do not fit a stylegan2: .*const"),
        ({"synthesis.b4.conv1.affine.weight": None}, r"no generator of a layout that we know, but tensors \(mapping"),
    ],
)
def test_what_we_cannot_draw_is_refused_in_one_line(
    tiny: StyleGAN2, save: Callable[[object], Path], change: dict[str, Tensor | None], message: str
) -> None:
    tensors = {n: t for n, t in (nvidia(tiny) | change).items() if t is not None}
    path = save({"g_ema": tensors})
    with pytest.raises(UserError, match=message) as caught:
        load_generator(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_discriminator_is_called_one(save: Callable[[object], Path]) -> None:
    tensors = {"b4.out.weight": torch.zeros(1), "b4.conv.weight": torch.zeros(1)}
    with pytest.raises(UserError, match=r"but a discriminator \(b4.conv.weight, b4.out.weight\)"):
        load_generator(save(tensors))
