"""StyleGAN2 written out in NumPy, pixel by pixel, and networks of its published sizes."""

import math

import numpy as np
import numpy.typing as npt
import torch

from conftest import randn
from latentloop.generators.stylegan2 import Shape, StyleGAN2
from latentloop.generators.stylegan2_layers import StyledConv, ToRGB

Array = npt.NDArray[np.float64]
SHAPE = Shape(mapping=(8, 7, 6), channels=(5, 4, 3))  # draws 16 pixels


def make(shape: Shape = SHAPE) -> StyleGAN2:
    """A network with random weights, biases and noise."""
    generator = StyleGAN2(shape, name="tiny", fingerprint="0").double().requires_grad_(False)
    for i, tensor in enumerate([*generator.parameters(), *generator.buffers()]):
        tensor.copy_(0.7 * randn(*tensor.shape, seed=i))
    return generator


def correlate(x: Array, weight: Array, pad: int) -> Array:
    """(I, H, W) with (O, I, k, k), one tap at a time."""
    x, k = np.pad(x, ((0, 0), (pad, pad), (pad, pad))), weight.shape[-1]
    h, w = x.shape[1] - k + 1, x.shape[2] - k + 1
    out = np.zeros((len(weight), h, w))
    for dy in range(k):
        for dx in range(k):
            out += np.tensordot(weight[:, :, dy, dx], x[:, dy : dy + h, dx : dx + w], axes=1)
    return out


def doubled(x: Array, *, odd: bool) -> Array:
    """With zeros between its pixels, and after the last unless it is to be odd."""
    size = 2 * x.shape[-1] - odd
    out = np.zeros((len(x), size, size))
    out[:, ::2, ::2] = x
    return out


def smoothed(x: Array, pad: tuple[int, int]) -> Array:
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16
    planes = [correlate(np.pad(plane, pad)[None], taps[None, None], 0)[0] for plane in x]
    return np.stack(planes)


def slow_conv(layer: StyledConv, x: Array, w: Array, noise: Array) -> Array:
    """One image: the weights are modulated and demodulated, as the paper has it."""
    style = layer.affine.weight.numpy() @ w + layer.affine.bias.numpy()
    weight = layer.weight.numpy() * style[:, None, None]
    weight = weight / np.sqrt((weight**2).sum(axis=(1, 2, 3), keepdims=True) + 1e-8)
    if layer.up:
        x = smoothed(correlate(doubled(x, odd=True), weight[:, :, ::-1, ::-1], 2), (1, 1))
    else:
        x = correlate(x, weight, 1)
    x = x + layer.noise_strength.item() * noise + layer.bias.numpy()[:, None, None]
    x = np.where(x > 0, x, 0.2 * x) * math.sqrt(2)
    return x if layer.clamp is None else np.clip(x, -layer.clamp, layer.clamp)


def slow_rgb(layer: ToRGB, x: Array, w: Array) -> Array:
    style = layer.affine.weight.numpy() @ w + layer.affine.bias.numpy()
    rgb = np.tensordot(layer.weight.numpy() * style, x, axes=1) + layer.bias.numpy()[:, None, None]
    rgb = rgb if layer.clamp is None else np.clip(rgb, -layer.clamp, layer.clamp)
    return np.asarray(rgb)


def slow_image(generator: StyleGAN2, w_plus: Array) -> Array:
    """One image, styles (num_ws, w_dim)."""
    synthesis, skip = generator.synthesis, generator.shape.skip
    x, image = synthesis.const.numpy(), np.zeros((3, 2, 2))
    for i, layer in enumerate(synthesis.layers):
        x = slow_conv(layer, x, w_plus[i], layer.noise_const.numpy())
        if i % 2 == 0 and skip:
            image = smoothed(doubled(image, odd=False), (2, 1)) + slow_rgb(synthesis.drawing[i // 2], x, w_plus[i + 1])
    return image if skip else slow_rgb(synthesis.drawing[0], x, w_plus[-1])


def published(multiplier: int, resolution: int, depth: int) -> StyleGAN2:
    """A network of the published sizes, without values: 2 is config F, 1 config E."""
    sizes = [4 << i for i in range(int(math.log2(resolution)) - 1)]
    channels = tuple(min(512, 16384 * multiplier // size) for size in sizes)
    with torch.device("meta"):
        return StyleGAN2(Shape(mapping=(512,) * (depth + 1), channels=channels), name="", fingerprint="")
