"""Building a StyleGAN2 from tensors under our names or NVIDIA's.

The gains of equalised learning rates are folded into the weights, so a network has the same tensors whichever project's
file it was read from.
"""

import math

import torch
from torch import Tensor

from latentloop.generators.folding import (
    LR_MULTIPLIER,
    MAX_RESOLUTION,
    Converted,
    Settings,
    Tensors,
    count_layers,
    folded_linear,
    noise_map,
    three_colours,
)
from latentloop.generators.resampling import TAPS
from latentloop.generators.stylegan2 import Shape, StyleGAN2
from latentloop.weights import with_weights


def from_tensors(tensors: Tensors, settings: Settings, *, name: str, fingerprint: str) -> StyleGAN2:
    """Build the frozen network from tensors under our names.

    Raises:
        RuntimeError: The tensors do not fit a StyleGAN2.
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
    """Infer the architecture from tensors under our names.

    Raises:
        LookupError, TypeError or ValueError: A required tensor is missing or misshapen.
    """
    parts = ("mapping.fc.", "synthesis.convs.", "synthesis.to_rgb.")
    depth, convs, drawing = (count_layers(tensors, part) for part in parts)
    embed, c_dim = tensors.get("mapping.embed.weight"), 0
    z_dim = tensors["mapping.fc.0.weight"].shape[1]
    if embed is not None:
        c_dim, z_dim = embed.shape[1], z_dim - len(embed)  # the embedded label is appended to z
    channels = tuple(len(tensors[f"synthesis.convs.{i}.bias"]) for i in range(0, convs, 2))
    if drawing not in (1, len(channels)):
        raise ValueError(f"ToRGB layers must be 1 or {len(channels)}, one per resolution, got {drawing}")
    clamp = settings.get("clamp")
    return Shape(
        mapping=(z_dim, *(len(tensors[f"mapping.fc.{i}.bias"]) for i in range(depth))),
        channels=channels,
        c_dim=c_dim,
        skip=drawing == len(channels),
        clamp=None if clamp is None else float(clamp),
    )


def from_nvidia(tensors: Tensors, settings: Settings) -> Converted:
    """Convert a generator of stylegan2-ada-pytorch to our names.

    Args:
        tensors: Parameters and buffers of the generator.
        settings: Keywords that the network was built with, as far as they are known.

    Raises:
        LookupError, TypeError or ValueError: A tensor is missing or misshapen, or the architecture is not supported.
    """
    mapping = settings.get("mapping_kwargs") or {}
    if any(name.endswith(".skip.weight") for name in tensors):
        raise ValueError("architecture: a generator with residual connections is not supported")
    _check_square(tensors["synthesis.b4.const"], _sizes(tensors)[-1])
    if (activation := settings.get("activation", "lrelu")) != "lrelu":
        raise ValueError(f"activation {activation!r} is not supported, only 'lrelu'")
    # Convolution weights keep their scale, as demodulation cancels any gain; affine and ToRGB weights need theirs.
    ours = {"synthesis.const": tensors["synthesis.b4.const"]}
    if "mapping.w_avg" in tensors:
        ours["latent_avg"] = tensors["mapping.w_avg"]
    for i in range(count_layers(tensors, "mapping.fc")):
        ours |= folded_linear(tensors, f"mapping.fc{i}", f"mapping.fc.{i}", mapping.get("lr_multiplier", LR_MULTIPLIER))
    if "mapping.embed.weight" in tensors:
        ours |= folded_linear(tensors, "mapping.embed", "mapping.embed")
    sizes = _sizes(tensors)
    # Each block has conv0 (upsampling) and conv1, except that the one at 4 pixels has no conv0.
    for i, layer in enumerate([f"synthesis.b{size}.conv{k}" for size in sizes for k in (0, 1)][1:]):
        ours |= _conv(tensors, layer, i, sizes[(i + 1) // 2])
    drawing = [layer for size in sizes if f"{(layer := f'synthesis.b{size}.torgb')}.weight" in tensors]
    for k, layer in enumerate(drawing):
        ours |= _to_rgb(tensors, layer, f"synthesis.to_rgb.{k}")
    return ours, {"clamp": settings.get("conv_clamp", (settings.get("synthesis_kwargs") or {}).get("conv_clamp"))}


def _check_square(const: Tensor, resolution: int) -> None:
    """Raise a ValueError unless the constant input is 4 x 4; `resolution` is the image's side for a side of 4."""
    height, width = const.shape[-2:]
    if (height, width) != (4, 4):
        size = f"{height * resolution // 4} x {width * resolution // 4} pixels"
        shape = "are not square" if height != width else f"grow from {height} x {width} instead of 4 x 4"
        raise ValueError(f"its images of {size} (height x width) {shape}, which is not supported")


def _sizes(tensors: Tensors) -> list[int]:
    """Resolutions of the blocks in a file: 4, 8, 16 ..."""
    sizes = [4]
    while f"synthesis.b{2 * sizes[-1]}.conv0.weight" in tensors:
        sizes.append(2 * sizes[-1])
    if sizes[-1] > MAX_RESOLUTION:
        raise ValueError(f"at most {MAX_RESOLUTION} pixels are supported, got {sizes[-1]}")
    return sizes


def _conv(tensors: Tensors, theirs: str, index: int, size: int) -> dict[str, Tensor]:
    filtering, noise = (tensors.get(f"{theirs}.{part}") for part in ("resample_filter", "noise_const"))
    if filtering is not None:
        _check_filter(filtering)
    ours = f"synthesis.convs.{index}"
    return folded_linear(tensors, f"{theirs}.affine", f"{ours}.affine") | {
        f"{ours}.weight": tensors[f"{theirs}.weight"],
        f"{ours}.bias": tensors[f"{theirs}.bias"],
        # A network that was trained without noise has no noise strength; 0 draws the same image.
        f"{ours}.noise_strength": tensors.get(f"{theirs}.noise_strength", torch.zeros(())).reshape(()),
        f"{ours}.noise_const": noise_map(index, size) if noise is None else noise,
    }


def _to_rgb(tensors: Tensors, theirs: str, ours: str) -> dict[str, Tensor]:
    weight, bias = three_colours(tensors[f"{theirs}.weight"].flatten(1), tensors[f"{theirs}.bias"], theirs)
    return folded_linear(tensors, f"{theirs}.affine", f"{ours}.affine") | {
        f"{ours}.weight": weight / math.sqrt(weight.shape[1]),
        f"{ours}.bias": bias,
    }


def _check_filter(kernel: Tensor) -> None:
    taps = torch.tensor(TAPS, dtype=kernel.dtype)
    ours = taps[:, None] * taps / taps.sum() ** 2  # compared up to a factor: projects scale the filter differently
    if kernel.shape != ours.shape or not torch.allclose(kernel / kernel.sum(), ours, atol=1e-4):
        raise ValueError(f"a resampling filter of {tuple(kernel.shape)} that is not [1, 3, 3, 1] is not supported")
