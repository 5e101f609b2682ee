"""StyleGAN1 written out in NumPy, pixel by pixel, and networks of its published sizes."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from conftest import randn
from latentloop.generators.stylegan1 import Shape, StyleGAN1

Array = npt.NDArray[np.float64]
SHAPE = Shape(mapping=(5, 7, 6), channels=(4, 3, 2))


def with_random_weights(module: torch.nn.Module) -> None:
    randomness = torch.Generator().manual_seed(0)
    state = module.double().state_dict()
    module.load_state_dict({k: torch.randn(v.shape, generator=randomness).to(v) * 0.5 for k, v in state.items()})
    module.requires_grad_(False)


def random_generator(shape: Shape = SHAPE) -> StyleGAN1:
    generator = StyleGAN1(shape, name="tiny", fingerprint="")
    with_random_weights(generator)
    return generator


def codes(generator: StyleGAN1, count: int) -> Tensor:
    return randn(count, generator.num_ws, generator.w_dim, seed=1)


def slow_conv(x: Array, kernel: Array) -> Array:
    """Each output pixel is the sum of (out, in, 3, 3) times what lies around it."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    y = np.zeros((len(x), len(kernel), *x.shape[2:]))
    for n, o, i, j in np.ndindex(*y.shape):
        y[n, o, i, j] = (padded[n, :, i : i + 3, j : j + 3] * kernel[o]).sum()
    return y


def slow_blur(x: Array) -> Array:
    taps = np.array([1, 2, 1]) / 4
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    y = np.zeros_like(x)
    for i, j in np.ndindex(3, 3):
        y += taps[i] * taps[j] * padded[:, :, i : i + x.shape[2], j : j + x.shape[3]]
    return y


def slow_up(x: Array, weight: Array) -> Array:
    """Every pixel four times, then a convolution of the turned kernel, then the filter."""
    kernel = weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    return slow_blur(slow_conv(x.repeat(2, axis=2).repeat(2, axis=3), kernel))


def slow_fused_up(x: Array, weight: Array) -> Array:
    """Every pixel paints a 4x4 kernel, four shifted copies of the 3x3 one, then the filter."""
    size = x.shape[-1]
    kernel = np.zeros((*weight.shape[:2], 4, 4))
    for i, j in np.ndindex(2, 2):
        kernel[:, :, i : i + 3, j : j + 3] += weight
    canvas = np.zeros((len(x), weight.shape[1], 2 * size + 2, 2 * size + 2))
    for i, j in np.ndindex(size, size):
        canvas[:, :, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum("nc,coij->noij", x[:, :, i, j], kernel)
    return slow_blur(canvas[:, :, 1:-1, 1:-1])


def slow_norm(x: Array, scale: Array, shift: Array) -> Array:
    y = np.zeros_like(x)
    for n, c in np.ndindex(*x.shape[:2]):
        mean = x[n, c].mean()
        variance = ((x[n, c] - mean) ** 2).mean()
        y[n, c] = scale[n, c] * (x[n, c] - mean) / math.sqrt(variance + 1e-8) + shift[n, c]
    return y


def slow_finish(x: Array, layer: dict[str, Array], w: Array) -> Array:
    """Noise, bias, activation, normalisation and style, one after the other."""
    x = x + layer["finish.noise_strength"][:, None, None] * layer["finish.noise_const"]
    x = x + layer["bias"][:, None, None]
    x = np.where(x > 0, x, 0.2 * x)
    style = w @ layer["finish.affine.weight"].T + layer["finish.affine.bias"]
    channels = x.shape[1]
    return slow_norm(x, style[:, :channels] + 1, style[:, channels:])


def arrays(module: torch.nn.Module, beginning: str = "") -> dict[str, Array]:
    state = module.state_dict().items()
    return {name.removeprefix(beginning): value.numpy() for name, value in state if name.startswith(beginning)}


def slow_draw(generator: StyleGAN1, w_plus: Array) -> Array:
    synthesis = generator.synthesis
    first = arrays(synthesis, "const.")
    x = slow_finish(np.repeat(first["const"][None], len(w_plus), axis=0), first, w_plus[:, 0])
    for i in range(generator.num_ws - 1):
        layer = arrays(synthesis, f"convs.{i}.")
        x = (slow_up if i % 2 else slow_conv)(x, layer["weight"])
        x = slow_finish(x, layer, w_plus[:, i + 1])
    to_rgb = arrays(synthesis, "to_rgb.")
    image: Array = np.einsum("nchw,oc->nohw", x, to_rgb["weight"][:, :, 0, 0]) + to_rgb["bias"][:, None, None]
    return image


def published(resolution: int) -> StyleGAN1:
    """A network of the published sizes, without memory."""
    channels = tuple(
        min(512, 2 * 8192 // size) for size in (4, 8, 16, 32, 64, 128, 256, 512, 1024) if size <= resolution
    )
    with torch.device("meta"):
        return StyleGAN1(Shape(mapping=(512,) * 9, channels=channels), name="", fingerprint="")
