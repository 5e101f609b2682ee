"""Checkpoints as pSp, e4e and ReStyle write them, small: an encoder for 32 pixels, styles of eight numbers."""

from itertools import pairwise

import torch
from torch import Tensor

STAGES = ((16, 1), (32, 2), (48, 1), (64, 1))
W_DIM = 8
PYRAMID = ("GradualStyleEncoder", "Encoder4Editing")
LAST = ("BackboneEncoder", "ProgressiveBackboneEncoder")
INTO_W = ("BackboneEncoderUsingLastLayerIntoW", "SingleStyleCodeEncoder")
INTO_W_PLUS = "BackboneEncoderUsingLastLayerIntoWPlus"
KINDS = (*PYRAMID, *LAST, *INTO_W, INTO_W_PLUS)
Tensors = dict[str, Tensor]


def checkpoint(kind: str, *, num_ws: int = 8, in_channels: int = 3) -> Tensors:
    """Random tensors under the names that files have, of an encoder for 32 pixels."""
    shapes: dict[str, tuple[int, ...]] = {
        "input_layer.0.weight": (16, in_channels, 3, 3),
        "input_layer.2.weight": (16,),
    }
    shapes |= norm("input_layer.1", 16)
    blocks = [16, *(channels for channels, count in STAGES for _ in range(count))]
    for i, (before, channels) in enumerate(pairwise(blocks)):
        shapes |= block(f"body.{i}", before, channels)
    if kind in INTO_W:
        shapes |= {"linear.weight": (W_DIM, 64), "linear.bias": (W_DIM,)}
    elif kind == INTO_W_PLUS:
        shapes |= norm("output_layer_2.0", 64)
        shapes |= {"output_layer_2.3.weight": (W_DIM, 64 * 49), "output_layer_2.3.bias": (W_DIM,)}
        shapes |= {"linear.weight": (num_ws * W_DIM, W_DIM), "linear.bias": (num_ws * W_DIM,)}
    else:
        for j in range(num_ws):
            shapes |= head(f"styles.{j}", 1 + (kind in PYRAMID and j > 2) + (kind in PYRAMID and j > 6))
    if kind in PYRAMID:
        shapes |= {"latlayer1.weight": (64, 48, 1, 1), "latlayer2.weight": (64, 32, 1, 1)}
        shapes |= {"latlayer1.bias": (64,), "latlayer2.bias": (64,)}
    return filled(shapes)


def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def block(name: str, before: int, channels: int) -> dict[str, tuple[int, ...]]:
    shapes = norm(f"{name}.res_layer.0", before) | norm(f"{name}.res_layer.4", channels)
    shapes |= {
        f"{name}.res_layer.1.weight": (channels, before, 3, 3),
        f"{name}.res_layer.2.weight": (channels,),
        f"{name}.res_layer.3.weight": (channels, channels, 3, 3),
        f"{name}.res_layer.5.fc1.weight": (channels // 16, channels, 1, 1),
        f"{name}.res_layer.5.fc2.weight": (channels, channels // 16, 1, 1),
    }
    if before != channels:
        shapes |= norm(f"{name}.shortcut_layer.1", channels)
        shapes |= {f"{name}.shortcut_layer.0.weight": (channels, before, 1, 1)}
    return shapes


def head(name: str, convs: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {f"{name}.linear.weight": (W_DIM, W_DIM), f"{name}.linear.bias": (W_DIM,)}
    for k in range(convs):
        shapes |= {f"{name}.convs.{2 * k}.weight": (W_DIM, W_DIM if k else 64, 3, 3)}
        shapes |= {f"{name}.convs.{2 * k}.bias": (W_DIM,)}
    return shapes


def filled(shapes: dict[str, tuple[int, ...]]) -> Tensors:
    randomness = torch.Generator().manual_seed(0)
    tensors = {"decoder.style.1.weight": torch.zeros(3)}
    for name, shape in shapes.items():
        tensor = torch.randn(shape, generator=randomness) * 0.3
        if name.endswith("running_var"):
            tensor = tensor.abs() + 0.5
        tensors[f"encoder.{name}"] = torch.tensor(7) if name.endswith("num_batches_tracked") else tensor
    return tensors
