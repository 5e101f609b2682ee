"""StyleGAN2 from tensors, under our names or under NVIDIA's.

Gains that equalise learning rates are folded into the weights: whoever trained a network, it has the same tensors.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from latentloop.generators.resampling import TAPS
from latentloop.generators.stylegan2 import Shape, StyleGAN2
from latentloop.weights import with_weights

Tensors = Mapping[str, Tensor]
Settings = Mapping[str, Any]
Converted = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors under our names, and what they do not tell."""

LR_MULTIPLIER = 0.01
"""Of the mapping network, unless a file says otherwise."""


def from_tensors(tensors: Tensors, settings: Settings, *, name: str, fingerprint: str) -> StyleGAN2:
    """The frozen network of tensors under our names.

    Raises:
        RuntimeError: They are not those of such a network.
    """
    try:
        with torch.device("meta"):
            generator = StyleGAN2(find_shape(tensors, settings), name=name, fingerprint=fingerprint)
    except (LookupError, TypeError, ArithmeticError, ValueError) as error:
        raise RuntimeError(f"missing or misshapen {error}") from error
    with_weights(generator, dict(tensors))
    for layer in generator.synthesis.layers:
        layer.prepare()
    return generator


def find_shape(tensors: Tensors, settings: Settings) -> Shape:
    """The architecture that tensors under our names are of.

    Raises:
        LookupError, TypeError or ValueError: A tensor that tells it is missing or misshapen.
    """
    depth, convs, drawing = (_count(tensors, part) for part in ("mapping.fc", "synthesis.convs", "synthesis.to_rgb"))
    embed, c_dim = tensors.get("mapping.embed.weight"), 0
    z_dim = tensors["mapping.fc.0.weight"].shape[1]
    if embed is not None:
        c_dim, z_dim = embed.shape[1], z_dim - len(embed)
    channels = tuple(len(tensors[f"synthesis.convs.{i}.bias"]) for i in range(0, convs, 2))
    if drawing not in (1, len(channels)):
        raise ValueError(f"layers that draw: {drawing} for {len(channels)} resolutions")
    clamp = settings.get("clamp")
    return Shape(
        mapping=(z_dim, *(len(tensors[f"mapping.fc.{i}.bias"]) for i in range(depth))),
        channels=channels,
        c_dim=c_dim,
        skip=drawing == len(channels),
        clamp=None if clamp is None else float(clamp),
    )


def from_nvidia(tensors: Tensors, settings: Settings) -> Converted:
    """From the generator's names in stylegan2-ada-pytorch.

    Args:
        tensors: Its parameters and buffers.
        settings: The keywords that it was built with, as far as they are known.

    Raises:
        LookupError, TypeError or ValueError: A tensor is missing or misshapen; an architecture that we do not draw.
    """
    synthesis, mapping = settings.get("synthesis_kwargs") or {}, settings.get("mapping_kwargs") or {}
    if any(name.endswith(".skip.weight") for name in tensors):
        raise ValueError("architecture: a generator with residual connections is not supported")
    ours = {"synthesis.const": tensors["synthesis.b4.const"]}
    if "mapping.w_avg" in tensors:
        ours["latent_avg"] = tensors["mapping.w_avg"]
    for i in range(_count(tensors, "mapping.fc", dot="")):
        ours |= _linear(tensors, f"mapping.fc{i}", f"mapping.fc.{i}", mapping.get("lr_multiplier", LR_MULTIPLIER))
    if "mapping.embed.weight" in tensors:
        ours |= _linear(tensors, "mapping.embed", "mapping.embed")
    sizes = _sizes(tensors)
    for i, layer in enumerate([f"synthesis.b{size}.conv{k}" for size in sizes for k in (0, 1)][1:]):
        ours |= _conv(tensors, layer, f"synthesis.convs.{i}", sizes[(i + 1) // 2])
    drawing = [layer for size in sizes if f"{(layer := f'synthesis.b{size}.torgb')}.weight" in tensors]
    for k, layer in enumerate(drawing):
        ours |= _to_rgb(tensors, layer, f"synthesis.to_rgb.{k}")
    return ours, {"clamp": synthesis.get("conv_clamp")}


def _count(tensors: Tensors, part: str, *, dot: str = ".") -> int:
    """How many layers have names of this beginning."""
    beginning = part + dot
    numbers = {name.removeprefix(beginning).partition(".")[0] for name in tensors if name.startswith(beginning)}
    count = len(numbers)
    if not count or numbers != {str(i) for i in range(count)}:
        raise LookupError(f"{part}: layers {', '.join(sorted(numbers)) or 'missing'}")
    return count


def _sizes(tensors: Tensors) -> list[int]:
    """4, 8, 16 ... as far as there are blocks."""
    sizes = [4]
    while f"synthesis.b{2 * sizes[-1]}.conv0.weight" in tensors:
        sizes.append(2 * sizes[-1])
    return sizes


def _linear(tensors: Tensors, theirs: str, ours: str, lr_multiplier: float = 1.0) -> dict[str, Tensor]:
    weight, bias = tensors[f"{theirs}.weight"], tensors[f"{theirs}.bias"]
    gain = lr_multiplier / math.sqrt(weight.shape[1])
    return {f"{ours}.weight": weight * gain, f"{ours}.bias": bias * lr_multiplier}


def _conv(tensors: Tensors, theirs: str, ours: str, size: int) -> dict[str, Tensor]:
    filtering = tensors.get(f"{theirs}.resample_filter")
    if filtering is not None:
        _check_filter(filtering)
    return _linear(tensors, f"{theirs}.affine", f"{ours}.affine") | {
        f"{ours}.weight": tensors[f"{theirs}.weight"],
        f"{ours}.bias": tensors[f"{theirs}.bias"],
        # A network trained without noise has neither.
        f"{ours}.noise_strength": tensors.get(f"{theirs}.noise_strength", torch.zeros(())).reshape(()),
        f"{ours}.noise_const": tensors.get(f"{theirs}.noise_const", torch.zeros(size, size)),
    }


def _to_rgb(tensors: Tensors, theirs: str, ours: str) -> dict[str, Tensor]:
    weight, bias = tensors[f"{theirs}.weight"].flatten(1), tensors[f"{theirs}.bias"]
    if len(weight) == 1:  # grey
        weight, bias = weight.expand(3, -1), bias.expand(3)
    if weight.shape[0] != 3:
        raise ValueError(f"{theirs}: draws {weight.shape[0]} colours, not 3")
    return _linear(tensors, f"{theirs}.affine", f"{ours}.affine") | {
        f"{ours}.weight": weight / math.sqrt(weight.shape[1]),
        f"{ours}.bias": bias,
    }


def _check_filter(found: Tensor) -> None:
    taps = torch.tensor(TAPS, dtype=found.dtype)
    ours = taps[:, None] * taps / taps.sum() ** 2
    if found.shape != ours.shape or not torch.allclose(found / found.sum(), ours, atol=1e-4):
        raise ValueError(f"a resampling filter of {tuple(found.shape)} that is not [1, 3, 3, 1] is not supported")
