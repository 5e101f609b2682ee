"""Other layouts of StyleGAN2, each converted to the names of stylegan2-ada-pytorch first."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latentloop.errors import shown
from latentloop.generators.folding import LR_MULTIPLIER, Settings, Tensors

ONLY: dict[str, Any] = {
    "resample_kernel": [1, 3, 3, 1],
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "normalize_latents": True,
    "use_noise": True,
}
"""Settings of TensorFlow networks of which only one value is supported."""


@dataclass(frozen=True)
class Rule:
    """A renaming rule for tensors: a pattern of names, the new name and a change of values."""

    pattern: str
    """Regular expression that the whole name must match."""
    rename: Callable[[re.Match[str]], str]
    """Function that returns the new name."""
    change: Callable[[Tensor], Tensor] = lambda tensor: tensor
    """Function that returns the new values."""


def renamed(tensors: Tensors, rules: Sequence[Rule]) -> dict[str, Tensor]:
    """Rename and change tensors, each by the first rule that matches; tensors without a rule are dropped."""
    ours = {}
    for name, tensor in tensors.items():
        for rule in rules:
            if match := re.fullmatch(rule.pattern, name):
                ours[rule.rename(match)] = rule.change(tensor)
                break
    return ours


def from_rosinality(tensors: Tensors) -> dict[str, Tensor]:
    """Convert a generator of rosinality, with `latent_avg` if the file has it, to stylegan2-ada-pytorch's names."""
    # Its first layers are called conv1 and to_rgb1, the others convs.0 ... and to_rgbs.0 ...: number the first ones -1.
    counted = {re.sub(r"^(conv|to_rgb)1\.", r"\1s.-1.", name): tensor for name, tensor in tensors.items()}
    return renamed(counted, ROSINALITY)


def from_tensorflow(variables: Tensors, settings: Settings) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Convert tensors and settings of NVIDIA's TensorFlow networks, with or without ADA, to stylegan2-ada-pytorch's.

    Args:
        variables: Variables of both components, with "mapping/" or "synthesis/" before their names.
        settings: Keywords that the network was built with, as far as they are known.

    Raises:
        LookupError: There are no blocks.
        ValueError: The network is of an unsupported kind.
    """
    for name, only in ONLY.items():
        value = settings.get(name, only)
        if (list(value) if isinstance(value, tuple) else value) != only:
            raise ValueError(f"{name} {shown(value)} is not supported, only {only!r}")
    if "mapping/LabelConcat/weight" in variables:
        raise ValueError("a conditional StyleGAN2 from before ADA is not supported")
    lod = float(variables.get("synthesis/lod", torch.zeros(())))
    if lod != 0:
        raise ValueError(f"level of detail {lod:g}: training ended before the network had grown to its full size")
    last = max(int(match[1]) for name in variables if (match := re.match(r"synthesis/(\d+)x\1/", name)))
    # Without skip connections, only the ToRGB layer of the full size is used; it is named by level of detail, not size.
    named = {name.replace("/ToRGB_lod0/", f"/{last}x{last}/ToRGB/"): tensor for name, tensor in variables.items()}
    about = {"mapping_kwargs": {"lr_multiplier": float(settings.get("mapping_lrmul", LR_MULTIPLIER))}}
    return renamed(named, TENSORFLOW), about | {"conv_clamp": settings.get("conv_clamp")}


def from_genforce(tensors: Tensors) -> dict[str, Tensor]:
    """Convert a generator of genforce or SeFa to stylegan2-ada-pytorch's names.

    These files keep TensorFlow's values: kernels of up-convolutions are flipped and style biases lack their 1.

    Raises:
        ValueError: The network is conditional, which is not supported.
    """
    if "mapping.label_weight" in tensors:
        raise ValueError("a conditional network of genforce is not supported")
    return renamed(tensors, GENFORCE)


def layer_of(index: int) -> str:
    """Return ada's name of a convolution by its number: 0 is conv1 at 4 pixels, then two for each resolution."""
    return f"synthesis.b{4 << (index + 1) // 2}.conv{(index + 1) % 2}"


def _drawing(index: int) -> str:
    return f"synthesis.b{4 << index}.torgb"


def _block(match: re.Match[str]) -> str:
    """Ada's name of a TensorFlow layer, from its resolution and its name there."""
    return f"synthesis.b{match[1]}.{TENSORFLOW_LAYERS[match[2]]}"


def _convolution(weight: Tensor) -> Tensor:
    """A TensorFlow kernel, (H, W, in, out), in PyTorch's order (out, in, H, W)."""
    return weight.permute(3, 2, 0, 1)


def _flipped(weight: Tensor) -> Tensor:
    return weight.flip(-2, -1)


def _first(tensor: Tensor) -> Tensor:
    return tensor[0]


def _map(tensor: Tensor) -> Tensor:
    return tensor[0, 0]


def _plus_one(bias: Tensor) -> Tensor:
    return bias + 1


TENSORFLOW_LAYERS = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb"}
"""Names of the layers of a block, TensorFlow's to ada's."""

# rosinality has ada's values, but kernels with a leading axis of 1, noise strengths of shape (1,) and ToRGB biases of
# shape (1, 3, 1, 1). Its style.0 is the pixel norm, so the mapping layers begin at style.1.
ROSINALITY = (
    Rule(r"latent_avg", lambda _: "mapping.w_avg", lambda average: average.reshape(-1, average.shape[-1])[0]),
    Rule(r"style\.(\d+)\.(weight|bias)", lambda m: f"mapping.fc{int(m[1]) - 1}.{m[2]}"),
    Rule(r"input\.input", lambda _: "synthesis.b4.const", _first),
    Rule(r"convs\.(-?\d+)\.conv\.weight", lambda m: f"{layer_of(int(m[1]) + 1)}.weight", _first),
    Rule(r"convs\.(-?\d+)\.conv\.modulation\.(.+)", lambda m: f"{layer_of(int(m[1]) + 1)}.affine.{m[2]}"),
    Rule(r"convs\.(-?\d+)\.conv\.blur\.kernel", lambda m: f"{layer_of(int(m[1]) + 1)}.resample_filter"),
    Rule(r"convs\.(-?\d+)\.noise\.weight", lambda m: f"{layer_of(int(m[1]) + 1)}.noise_strength"),
    Rule(r"convs\.(-?\d+)\.activate\.bias", lambda m: f"{layer_of(int(m[1]) + 1)}.bias"),
    Rule(r"noises\.noise_(\d+)", lambda m: f"{layer_of(int(m[1]))}.noise_const", _map),
    Rule(r"to_rgbs\.(-?\d+)\.conv\.weight", lambda m: f"{_drawing(int(m[1]) + 1)}.weight", _first),
    Rule(r"to_rgbs\.(-?\d+)\.conv\.modulation\.(.+)", lambda m: f"{_drawing(int(m[1]) + 1)}.affine.{m[2]}"),
    Rule(r"to_rgbs\.(-?\d+)\.bias", lambda m: f"{_drawing(int(m[1]) + 1)}.bias", torch.flatten),
)

# TensorFlow stores weights as (in, out) and (H, W, in, out), rotates the kernels of up-convolutions by 180 degrees
# against ada's, and adds 1 to style biases at run time.
TENSORFLOW = (
    Rule(r"dlatent_avg", lambda _: "mapping.w_avg"),
    Rule(r"mapping/Dense(\d+)/weight", lambda m: f"mapping.fc{m[1]}.weight", torch.t),
    Rule(r"mapping/Dense(\d+)/bias", lambda m: f"mapping.fc{m[1]}.bias"),
    Rule(r"mapping/LabelEmbed/weight", lambda _: "mapping.embed.weight", torch.t),
    Rule(r"mapping/LabelEmbed/bias", lambda _: "mapping.embed.bias"),
    Rule(r"synthesis/4x4/Const/const", lambda _: "synthesis.b4.const", _first),
    Rule(r"synthesis/noise(\d+)", lambda m: f"{layer_of(int(m[1]))}.noise_const", _map),
    Rule(r"synthesis/(\d+)x\1/(Conv0_up)/weight", lambda m: f"{_block(m)}.weight", lambda w: _flipped(_convolution(w))),
    Rule(r"synthesis/(\d+)x\1/(Conv|Conv1|ToRGB)/weight", lambda m: f"{_block(m)}.weight", _convolution),
    Rule(r"synthesis/(\d+)x\1/Skip/weight", lambda m: f"synthesis.b{m[1]}.skip.weight"),
    Rule(r"synthesis/(\d+)x\1/(\w+)/mod_weight", lambda m: f"{_block(m)}.affine.weight", torch.t),
    Rule(r"synthesis/(\d+)x\1/(\w+)/mod_bias", lambda m: f"{_block(m)}.affine.bias", _plus_one),
    Rule(r"synthesis/(\d+)x\1/(\w+)/(bias|noise_strength)", lambda m: f"{_block(m)}.{m[3]}"),
)

# genforce has PyTorch's axes, but TensorFlow's values. Its odd layers are the up-convolutions.
GENFORCE = (
    Rule(r"truncation\.w_avg", lambda _: "mapping.w_avg"),
    Rule(r"mapping\.dense(\d+)\.(weight|bias)", lambda m: f"mapping.fc{m[1]}.{m[2]}"),
    Rule(r"synthesis\.early_layer\.const", lambda _: "synthesis.b4.const", _first),
    Rule(r"synthesis\.layer(\d*[13579])\.weight", lambda m: f"{layer_of(int(m[1]))}.weight", _flipped),
    Rule(r"synthesis\.layer(\d+)\.(weight|bias|noise_strength)", lambda m: f"{layer_of(int(m[1]))}.{m[2]}"),
    Rule(r"synthesis\.layer(\d+)\.noise", lambda m: f"{layer_of(int(m[1]))}.noise_const", _map),
    Rule(r"synthesis\.layer(\d+)\.style\.weight", lambda m: f"{layer_of(int(m[1]))}.affine.weight"),
    Rule(r"synthesis\.layer(\d+)\.style\.bias", lambda m: f"{layer_of(int(m[1]))}.affine.bias", _plus_one),
    Rule(r"synthesis\.output(\d+)\.(weight|bias)", lambda m: f"{_drawing(int(m[1]))}.{m[2]}"),
    Rule(r"synthesis\.output(\d+)\.style\.weight", lambda m: f"{_drawing(int(m[1]))}.affine.weight"),
    Rule(r"synthesis\.output(\d+)\.style\.bias", lambda m: f"{_drawing(int(m[1]))}.affine.bias", _plus_one),
)
