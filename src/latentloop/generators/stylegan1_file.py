"""Building a StyleGAN1 from tensors under our names, TensorFlow's, or those of GenForce's projects.

Files store weights before the gains of equalised learning rates, which are folded in here. The kernels of fused
up-convolutions are rotated by 180 degrees relative to those that follow an upsampling.
"""

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentloop.errors import shown
from latentloop.generators.folding import (
    LR_MULTIPLIER,
    MAX_RESOLUTION,
    Converted,
    Settings,
    Tensors,
    count_layers,
    noise_map,
    three_colours,
)
from latentloop.generators.stylegan1 import Shape, StyleGAN1
from latentloop.generators.stylegan1_layers import TAPS
from latentloop.weights import with_weights

GAIN = math.sqrt(2)
"""Gain of He's initialisation, by which the reference multiplies weights in each pass; folded into them here."""
FUSED_FROM: Mapping[str | bool, float] = {"auto": 128, True: 0, False: math.inf}
"""Output resolution from which up-convolutions are fused, for each value of the setting `fused_scale`."""
ONLY = {
    "label_size": 0,
    "use_wscale": True,
    "const_input": True,
    "const_input_layer": True,
    "normalize_latents": True,
    "use_styles": True,
    "use_pixel_norm": False,
    "use_instance_norm": True,
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "blur_filter": TAPS,
}
"""Settings of which only one value is supported."""


def from_tensors(tensors: Tensors, settings: Settings, *, name: str, fingerprint: str) -> StyleGAN1:
    """Build the frozen network from tensors under our names.

    Raises:
        RuntimeError: The tensors do not fit a StyleGAN1.
    """
    try:
        with torch.device("meta"):
            generator = StyleGAN1(find_shape(tensors, settings), name=name, fingerprint=fingerprint)
    except (LookupError, TypeError, ArithmeticError, ValueError) as error:
        raise RuntimeError(f"missing or misshapen {error}") from error
    return with_weights(generator, dict(tensors))


def find_shape(tensors: Tensors, settings: Settings) -> Shape:
    """Infer the architecture from tensors under our names.

    Raises:
        LookupError, TypeError or ValueError: A required tensor is missing or misshapen.
    """
    layerwise = any(name.startswith("mapping.network.") for name in tensors)
    mapping = "mapping.network.fc" if layerwise else "mapping.fc"
    depth, convs = count_layers(tensors, f"{mapping}."), count_layers(tensors, "synthesis.convs.")
    return Shape(
        mapping=(
            tensors[f"{mapping}.0.weight"].shape[1],
            *(len(tensors[f"{mapping}.{i}.bias"]) for i in range(depth)),
        ),
        channels=tuple(len(tensors[f"synthesis.convs.{i}.bias"]) for i in range(0, convs, 2)),
        layerwise=layerwise,
        tanh=bool(settings.get("tanh", False)),
    )


def from_tensorflow(variables: Mapping[str, Tensor | np.ndarray[Any, Any]], settings: Settings) -> Converted:
    """Convert the variables of NVIDIA's TensorFlow network to our names.

    Args:
        variables: Variables of both components, with "mapping/" or "synthesis/" before their names.
        settings: Keywords that the network was built with, as far as they are known.

    Raises:
        LookupError, TypeError, ValueError or RuntimeError: A variable is missing or misshapen, or the network is of an
            unsupported kind.
    """
    tensors = {name: value if isinstance(value, Tensor) else torch.tensor(value) for name, value in variables.items()}
    _check(
        settings, lod=tensors.get("synthesis/lod", tensors.get("lod")), labels="mapping/LabelConcat/weight" in tensors
    )
    raw = {}
    # Names without a counterpart, such as ToRGB layers of lower resolutions, are dropped.
    for name, tensor in tensors.items():
        if ours := _tensorflow_name(name):
            raw[ours] = _output_first(tensor) if ours.endswith(".weight") else tensor
    return _ours(raw, settings, fused=_fused(raw, settings), lr_multiplier=settings.get("mapping_lrmul", LR_MULTIPLIER))


def from_genforce(tensors: Tensors, settings: Settings) -> Converted:
    """Convert a generator of genforce, sefa, idinvert_pytorch or interfacegan to our names.

    Args:
        tensors: Tensors of one network, such as a checkpoint's "generator_smooth".
        settings: Keywords that the network was built with, as far as they are known.

    Raises:
        LookupError, TypeError, ValueError or RuntimeError: A tensor is missing or misshapen, or the network is of an
            unsupported kind.
    """
    _check(settings, lod=tensors.get("synthesis.lod"), labels="mapping.label_weight" in tensors)
    for name, tensor in tensors.items():
        if name.endswith(".blur.kernel"):
            _check_filter(name, tensor)
    last = max((int(match[1]) for match in map(_OUTPUT.fullmatch, tensors) if match), default=0)
    raw = {ours: tensor for name, tensor in tensors.items() if (ours := _genforce_name(name, last))}
    lr_multiplier = settings.get("mapping_lr_mul", LR_MULTIPLIER)
    if not any(".epilogue." in name for name in tensors):
        return _ours(raw, settings, fused=_fused(raw, settings), lr_multiplier=lr_multiplier)
    # The older layout (idinvert_pytorch, interfacegan) keeps the kernels of fused layers in TensorFlow's order of axes,
    # under `layerN.weight` instead of `layerN.conv.weight`.
    fused = {int(match[1]) - 1 for name in tensors if (match := re.fullmatch(r"synthesis\.layer(\d+)\.weight", name))}
    raw |= {name: _output_first(raw[name]) for name in map("synthesis.convs.{}.weight".format, fused)}
    return _ours(raw, settings, fused=fused, lr_multiplier=lr_multiplier)


_OUTPUT = re.compile(r"synthesis\.output(\d+)\.(?:conv\.)?(weight|bias)")
_TENSORFLOW_LAYER = re.compile(r"synthesis/(\d+)x\1/(Const|Conv|Conv0_up|Conv1)/(.+)")
_TENSORFLOW_PARTS = {
    "const": "const",
    "weight": "weight",
    "bias": "bias",
    "Noise/weight": "finish.noise_strength",
    "StyleMod/weight": "finish.affine.weight",
    "StyleMod/bias": "finish.affine.bias",
}
_GENFORCE_PARTS = {
    "const": "const",
    "first_layer": "const",
    "weight": "weight",
    "conv.weight": "weight",
    "bias": "bias",
    "apply_noise.weight": "finish.noise_strength",
    "apply_noise.noise": "finish.noise_const",
    "style.weight": "finish.affine.weight",
    "style.bias": "finish.affine.bias",
    "style_mod.dense.fc.weight": "finish.affine.weight",
    "style_mod.dense.linear.weight": "finish.affine.weight",
    "style_mod.dense.wscale.bias": "finish.affine.bias",
}


def _tensorflow_name(name: str) -> str | None:
    """Our name of a TensorFlow variable; None if it has no counterpart."""
    if name == "dlatent_avg":
        return "latent_avg"
    if match := re.fullmatch(r"mapping/Dense(\d+)/(weight|bias)", name):
        return f"mapping.fc.{match[1]}.{match[2]}"
    if match := re.fullmatch(r"synthesis/ToRGB_lod0/(weight|bias)", name):
        return f"synthesis.to_rgb.{match[1]}"
    if match := re.fullmatch(r"synthesis/noise(\d+)", name):
        return f"{_layer(int(match[1]))}.finish.noise_const"
    if (match := _TENSORFLOW_LAYER.fullmatch(name)) and match[3] in _TENSORFLOW_PARTS:
        first = 2 * int(match[1]).bit_length() - 6  # number of the first layer at 4, 8, 16 ... pixels: 0, 2, 4 ...
        return f"{_layer(first + (match[2] in ('Conv', 'Conv1')))}.{_TENSORFLOW_PARTS[match[3]]}"
    return None


def _genforce_name(name: str, last: int) -> str | None:
    """Our name of a GenForce tensor, given the number of the last ToRGB layer; None if it has no counterpart."""
    if name == "truncation.w_avg":
        return "latent_avg"
    if match := re.fullmatch(r"mapping\.dense(\d+)\.(?:fc\.|linear\.|wscale\.)?(weight|bias)", name):
        return f"mapping.fc.{match[1]}.{match[2]}"
    if match := _OUTPUT.fullmatch(name):
        return f"synthesis.to_rgb.{match[2]}" if int(match[1]) == last else None
    if match := re.fullmatch(r"synthesis\.layer(\d+)\.(?:epilogue\.)?(.+)", name):
        part = _GENFORCE_PARTS.get(match[2])
        return part and f"{_layer(int(match[1]))}.{part}"
    return None


def _layer(index: int) -> str:
    return f"synthesis.convs.{index - 1}" if index else "synthesis.const"


def _output_first(weight: Tensor) -> Tensor:
    """A TensorFlow weight, (in, out) or (height, width, in, out), in PyTorch's order of axes."""
    return weight.T if weight.ndim == 2 else weight.permute(3, 2, 0, 1)


def _fused(raw: Tensors, settings: Settings) -> set[int]:
    """Numbers of the convolutions that are fused with an upsampling, according to the settings."""
    setting = settings.get("fused_scale", "auto")
    if not isinstance(setting, str | bool):
        raise TypeError(f"fused_scale must be text or a boolean, got {type(setting).__name__}")
    start = FUSED_FROM[setting]
    return {i for i in range(1, count_layers(raw, "synthesis.convs."), 2) if 4 << ((i + 1) // 2) >= start}


def _ours(raw: Tensors, settings: Settings, *, fused: Collection[int], lr_multiplier: float) -> Converted:
    """Fold the gains into a file's tensors and add those that it leaves out.

    Args:
        raw: The file's tensors under our names, all weights output first.
        settings: The file's settings.
        fused: Numbers of the convolutions that are fused with an upsampling.
        lr_multiplier: Learning-rate multiplier of the mapping network.
    """
    ours = {name: _folded(name, tensor, fused, lr_multiplier).contiguous() for name, tensor in raw.items()}
    drawing = "synthesis.to_rgb"
    colours = three_colours(ours[f"{drawing}.weight"], ours[f"{drawing}.bias"], drawing)
    ours[f"{drawing}.weight"], ours[f"{drawing}.bias"] = (tensor.contiguous() for tensor in colours)
    num_ws = count_layers(raw, "synthesis.convs.") + 1
    if 4 << ((num_ws - 1) // 2) > MAX_RESOLUTION:
        raise ValueError(f"at most {MAX_RESOLUTION} pixels are supported, got {num_ws} layers")
    for layer in range(num_ws):
        size, finish = 4 << (layer // 2), f"{_layer(layer)}.finish"
        if f"{finish}.noise_const" not in ours:
            ours[f"{finish}.noise_const"] = noise_map(layer, size)
        # A network that was trained without noise has no noise strength; 0 draws the same image.
        ours.setdefault(f"{finish}.noise_strength", torch.zeros_like(raw[f"{_layer(layer)}.bias"]))
    w_dim = raw["synthesis.const.finish.affine.weight"].shape[1]
    # A mapping network whose output is longer than a style returns one style per layer.
    layerwise = len(raw[f"mapping.fc.{count_layers(raw, 'mapping.fc.') - 1}.bias"]) != w_dim
    if layerwise:
        ours = {name.replace("mapping.fc.", "mapping.network.fc."): tensor for name, tensor in ours.items()}
        if "latent_avg" in raw:
            ours["latent_avg"] = raw["latent_avg"].reshape(-1, w_dim).expand(num_ws, w_dim).contiguous()
    # The known networks with one style per layer are idinvert_pytorch's, which all end in tanh.
    return ours, {"tanh": bool(settings.get("final_tanh", layerwise))}


def _folded(name: str, tensor: Tensor, fused: Collection[int], lr_multiplier: float) -> Tensor:
    """A file's tensor, under our name, with shape and gains as our network expects them."""
    if name.startswith("mapping."):
        # GAIN belongs to the weights; biases get the learning-rate multiplier alone.
        return tensor * (lr_multiplier * (GAIN / math.sqrt(tensor.shape[1]) if name.endswith("weight") else 1))
    if name.endswith(".noise_const"):
        return tensor.reshape(tensor.shape[-2:])
    if name.endswith(".const"):
        return tensor.reshape(tensor.shape[-3:])
    if not name.endswith(".weight"):
        return tensor
    if match := re.fullmatch(r"synthesis\.convs\.(\d+)\.weight", name):
        weight, number = tensor * (GAIN / math.sqrt(tensor[0].numel())), int(match[1])
        if number % 2 == 0:
            return weight
        # Up-convolutions are transposed convolutions here: (in, out, 3, 3), rotated by 180 degrees.
        return (weight if number in fused else weight.flip(2, 3)).transpose(0, 1)
    return tensor / math.sqrt(tensor[0].numel())


def _check(settings: Settings, *, lod: Tensor | None, labels: bool) -> None:
    """Raise a ValueError for a network of an unsupported kind."""
    for name, only in ONLY.items():
        value = settings.get(name, only)
        if (tuple(value) if isinstance(value, list) else value) != only:
            raise ValueError(f"{name} {shown(value)} is not supported, only {only!r}")
    if labels:
        raise ValueError("a generator with classes is not supported")
    if lod is not None and float(lod) != 0:
        raise ValueError(
            f"level of detail {float(lod):g}: training ended before the network had grown to its full size"
        )


def _check_filter(name: str, kernel: Tensor) -> None:
    taps = kernel.new_tensor(TAPS) / 4
    if kernel.shape[1:] != (1, 3, 3) or not torch.allclose(kernel, (taps[:, None] * taps).expand_as(kernel)):
        raise ValueError(f"{name}: a filter of {tuple(kernel.shape)} that is not [1, 2, 1] is not supported")
