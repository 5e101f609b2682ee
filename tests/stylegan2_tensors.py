"""A StyleGAN2 under the names of each project's files."""

import math

import torch
from torch import Tensor

from latentloop.generators import StyleGAN2
from latentloop.generators.stylegan2 import Shape

FILTER = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


def random_stylegan2(shape: Shape) -> StyleGAN2:
    """All its numbers at random."""
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

    sizes = [4 << level for level in range(len(generator.shape.channels))]
    names = ["b4.conv1", *(f"b{size}.conv{k}" for size in sizes[1:] for k in (0, 1))]
    tensors = {"mapping.w_avg": generator.latent_avg, "synthesis.b4.const": generator.synthesis.const}
    for i, layer in enumerate(generator.mapping.fc):
        tensors |= linear(f"mapping.fc{i}", layer, 0.01)
    for name, conv in zip(names, generator.synthesis.layers, strict=True):
        tensors |= linear(f"synthesis.{name}.affine", conv.affine)
        tensors |= {f"synthesis.{name}.{part}": getattr(conv, part) for part in ("weight", "bias", "noise_strength")}
        tensors |= {f"synthesis.{name}.noise_const": conv.noise_const, f"synthesis.{name}.resample_filter": FILTER}
    for size, rgb in zip(sizes, generator.synthesis.drawing, strict=True):
        tensors |= linear(f"synthesis.b{size}.torgb.affine", rgb.affine)
        tensors[f"synthesis.b{size}.torgb.weight"] = (rgb.weight * math.sqrt(rgb.weight.shape[1]))[:, :, None, None]
        tensors[f"synthesis.b{size}.torgb.bias"] = rgb.bias
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def rosinality(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    tensors = {"input.input": theirs["synthesis.b4.const"][None]}
    tensors |= {f"style.{i + 1}.{p}": theirs[f"mapping.fc{i}.{p}"] for i in (0, 1) for p in ("weight", "bias")}
    layers, sizes = _layers(theirs)
    for i, b in enumerate(layers):
        c = f"convs.{i - 1}" if i else "conv1"
        tensors[f"{c}.conv.weight"] = theirs[f"synthesis.{b}.weight"][None]
        tensors[f"{c}.conv.modulation.weight"] = theirs[f"synthesis.{b}.affine.weight"]
        tensors[f"{c}.conv.modulation.bias"] = theirs[f"synthesis.{b}.affine.bias"]
        tensors[f"{c}.noise.weight"] = theirs[f"synthesis.{b}.noise_strength"][None]
        tensors[f"{c}.activate.bias"] = theirs[f"synthesis.{b}.bias"]
        tensors[f"noises.noise_{i}"] = theirs[f"synthesis.{b}.noise_const"][None, None]
    for i, b in enumerate(f"b{size}" for size in sizes):
        c = f"to_rgbs.{i - 1}" if i else "to_rgb1"
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
    named, sizes = {"b4.conv1": "4x4/Conv"}, _layers(theirs)[1]
    named |= {f"b{s}.conv{k}": f"{s}x{s}/Conv{k}{'_up' * (k == 0)}" for s in sizes[1:] for k in (0, 1)}
    for i, (b, t) in enumerate((named | {f"b{s}.torgb": f"{s}x{s}/ToRGB" for s in sizes}).items()):
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
    layers, sizes = _layers(theirs)
    named = {b: f"layer{i}" for i, b in enumerate(layers)}
    named |= {f"b{size}.torgb": f"output{i}" for i, size in enumerate(sizes)}
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


def _layers(theirs: dict[str, Tensor]) -> tuple[list[str], list[int]]:
    """The convolutions and the sizes of a network."""
    named = [name.split(".") for name in theirs if name.endswith(".noise_strength")]
    layers = [f"{block}.{conv}" for _, block, conv, _ in named]
    return layers, [int(layer[1:-6]) for layer in layers if layer.endswith("conv1")]
