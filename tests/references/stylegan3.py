"""StyleGAN3 written out in NumPy, pixel by pixel, and networks of its published sizes."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from conftest import randn
from latentloop.generators.stylegan2_layers import ToRGB
from latentloop.generators.stylegan3 import FourierFeatures, Shape, StyledConv, StyleGAN3, layer_signal

Array = npt.NDArray[np.float64]
SHAPE = Shape(
    mapping=(8, 7, 6),
    channels=(5, 4, 3, 4),
    resolution=16,
    num_critical=1,
    first_cutoff=1.0,
    first_stopband=1.9,
    margin=8,
)
"""At 4, 8, 16 and 16 pixels for each edge of the image."""
ROTATABLE = replace(SHAPE, kernel=1, radial=True)
COUNTS = {(False, 1024): 22_313_167, (True, 512): 16_665_594, (True, 1024): 15_093_151}
"""What their training prints."""


def make(shape: Shape = SHAPE) -> StyleGAN3:
    """A network whose weights, biases, waves and transform are random."""
    generator = StyleGAN3(shape, name="tiny", fingerprint="0").double().requires_grad_(False)
    for i, (name, tensor) in enumerate(generator.state_dict().items()):
        values = 0.7 * randn(*tensor.shape, seed=i)
        tensor.copy_(0.5 + values.abs() if name.endswith("input_gain") else values)
    return generator


def affine(layer: FourierFeatures | StyledConv | ToRGB, w: Array) -> Array:
    return np.asarray(layer.affine.weight.numpy() @ w + layer.affine.bias.numpy())


def slow_features(layer: FourierFeatures, w: Array) -> tuple[Array, Array]:
    """Pixel by pixel; and how much of each wave is left."""
    cos, sin, *shift = affine(layer, w) / np.hypot(*affine(layer, w)[:2])
    rotation, transform = np.array([[cos, -sin], [sin, cos]]), layer.transform.numpy()[:2]
    freqs, size, rate = layer.freqs.numpy(), layer.signal.size, layer.signal.rate
    speed = np.linalg.norm(freqs @ rotation @ transform[:, :2], axis=1)
    left = np.clip(1 - (speed - layer.signal.cutoff) / (rate / 2 - layer.signal.cutoff), 0, 1)
    out = np.zeros((len(freqs), size, size))
    for row, column in np.ndindex(size, size):
        x, y = ((i + 0.5 - size / 2) / rate for i in (column, row))
        moved = rotation @ (transform @ [x, y, 1] - shift)
        waves = left * np.sin(2 * math.pi * (freqs @ moved + layer.phases.numpy()))
        out[:, row, column] = layer.weight.numpy() @ waves
    return out, left


def correlate(x: Array, weight: Array) -> Array:
    """(I, H, W), zero beyond its border, with (O, I, k, k): all pixels that are not zero for that alone."""
    k = weight.shape[-1]
    x = np.pad(x, ((0, 0), (k - 1, k - 1), (k - 1, k - 1)))
    size = x.shape[1] - k + 1
    out = np.zeros((len(weight), size, size))
    for dy, dx in np.ndindex(k, k):
        out += np.tensordot(weight[:, :, dy, dx], x[:, dy : dy + size, dx : dx + size], axes=1)
    return out


def upsampling(size: int, taps: Array, factor: int, kept: int) -> Array:
    """What a row of pixels is multiplied with: each paints the filter, and the middle is kept."""
    start = (factor * (size - 1) + len(taps) - kept) // 2
    matrix = np.zeros((kept, size))
    for to, of in np.ndindex(kept, size):
        if 0 <= to + start - factor * of < len(taps):
            matrix[to, of] = factor * taps[to + start - factor * of]
    return matrix


def slow_activation(layer: StyledConv, x: Array) -> Array:
    up, down = layer.up_taps.numpy(), layer.down_taps.numpy()
    matrix = upsampling(x.shape[-1], up, layer.up, layer.down * (layer.size - 1) + len(down))
    x = matrix @ x @ matrix.T
    x = np.where(x > 0, x, 0.2 * x) * math.sqrt(2)
    x = x if layer.clamp is None else np.clip(x, -layer.clamp, layer.clamp)
    kernel = down if down.ndim == 2 else np.outer(down, down)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape, axis=(1, 2))
    return np.asarray(np.einsum("cyxij,ij->cyx", windows[:, :: layer.down, :: layer.down], kernel))


def slow_conv(layer: StyledConv, x: Array, style: Array) -> Array:
    """One image: weights and styles of a mean square of 1, the one modulated by the other and demodulated."""
    weight = layer.weight.numpy() / np.sqrt((layer.weight.numpy() ** 2).mean(axis=(1, 2, 3), keepdims=True))
    weight = weight * (style / np.sqrt((style**2).mean()))[:, None, None]
    weight = weight / np.sqrt((weight**2).sum(axis=(1, 2, 3), keepdims=True) + 1e-8)
    x = correlate(layer.input_gain.item() * x, weight) + layer.bias.numpy()[:, None, None]
    return slow_activation(layer, x)


def slow_rgb(layer: ToRGB, x: Array, w: Array) -> Array:
    rgb = np.tensordot(layer.weight.numpy() * affine(layer, w), x, axes=1) + layer.bias.numpy()[:, None, None]
    return np.asarray(rgb if layer.clamp is None else np.clip(rgb, -layer.clamp, layer.clamp))


def slow_image(generator: StyleGAN3, w_plus: Array) -> Array:
    """One image, styles (num_ws, w_dim)."""
    synthesis = generator.synthesis
    x, _ = slow_features(synthesis.input, w_plus[0])
    for layer, w in zip(synthesis.layers, w_plus[1:], strict=False):
        x = slow_conv(layer, x, affine(layer, w))
    return generator.shape.output_scale * slow_rgb(synthesis.to_rgb, x, w_plus[-1])


def published(resolution: int, *, rotatable: bool) -> StyleGAN3:
    """A network of the published configurations T or R, without values."""
    shape = Shape(mapping=(512, 512, 512), channels=(1,) * 14, resolution=resolution)
    cutoffs = [layer_signal(shape, i).cutoff for i in range(14)]
    if rotatable:
        shape = replace(shape, kernel=1, radial=True)
    base, most = (65536, 1024) if rotatable else (32768, 512)
    shape = replace(shape, channels=tuple(min(most, round(base / 2 / cutoff)) for cutoff in cutoffs))
    with torch.device("meta"):
        return StyleGAN3(shape, name="", fingerprint="")
