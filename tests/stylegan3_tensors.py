"""A StyleGAN3 under the names of NVIDIA's files."""

import math

import torch
from torch import Tensor, nn

from latentloop.generators.stylegan3 import StyleGAN3

Tensors = dict[str, Tensor]
MAGNITUDE = 1.7
"""Mean square that training measured before the layer that draws."""


def nvidia_tensors(generator: StyleGAN3) -> Tensors:
    """With the gains taken out that NVIDIA applies when drawing."""
    tensors = {"mapping.w_avg": generator.latent_avg}
    for i, layer in enumerate(generator.mapping.fc):
        assert isinstance(layer, nn.Linear)
        tensors |= _linear(f"mapping.fc{i}", layer, 0.01)
    if generator.mapping.embed is not None:
        tensors |= _linear("mapping.embed", generator.mapping.embed)
    first, drawing = generator.synthesis.input, generator.synthesis.to_rgb
    tensors |= {f"synthesis.input.{name}": getattr(first, name) for name in ("transform", "freqs", "phases")}
    tensors["synthesis.input.weight"] = first.weight * math.sqrt(first.weight.shape[1])
    tensors |= _linear("synthesis.input.affine", first.affine)
    for i, conv in enumerate(generator.synthesis.layers):
        name = f"synthesis.L{i}_{conv.size}_{len(conv.bias)}"
        tensors |= {f"{name}.weight": conv.weight, f"{name}.bias": conv.bias, **_linear(f"{name}.affine", conv.affine)}
        tensors |= {f"{name}.up_filter": conv.up_taps, f"{name}.down_filter": conv.down_taps}
        tensors[f"{name}.magnitude_ema"] = conv.input_gain**-2
    name = f"synthesis.L{len(generator.synthesis.layers)}_{generator.resolution}_3"
    gain = math.sqrt(drawing.weight.shape[1] * MAGNITUDE)
    tensors |= {f"{name}.weight": (drawing.weight * gain)[:, :, None, None], f"{name}.bias": drawing.bias}
    tensors |= {f"{name}.magnitude_ema": torch.tensor(MAGNITUDE), **_linear(f"{name}.affine", drawing.affine)}
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _linear(name: str, layer: nn.Linear, multiplier: float = 1.0) -> Tensors:
    weight = layer.weight * math.sqrt(layer.weight.shape[1]) / multiplier
    return {f"{name}.weight": weight, f"{name}.bias": layer.bias / multiplier}
