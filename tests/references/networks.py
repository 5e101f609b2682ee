"""Networks of features written out in NumPy, in float64, from the numbers in their files."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from safetensors.numpy import load_file

from latentloop.features import lpips, mobilefacenet
from vgg_tensors import FEATURES, linear_tensors, vgg16_tensors

Array = npt.NDArray[np.float64]
Features = Callable[[Array], Sequence[Array]]


def conv(x: Array, weight: Array, bias: Array, *, stride: int = 1, pad: int = 0) -> Array:
    """Convolve (I, H, W) with (O, I, k, k); with (O, 1, k, k), each channel with its own kernel."""
    windows = sliding_window_view(np.pad(x, ((0, 0), (pad, pad), (pad, pad))), weight.shape[2:], axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    if weight.shape[1] == 1 < len(x):
        out = np.einsum("chwij,cij->chw", windows, weight[:, 0])
    else:
        out = np.tensordot(weight, windows, axes=((1, 2, 3), (0, 3, 4)))
    return np.asarray(out + bias[:, None, None])


def pooled(x: Array, size: int, *, to_the_border: bool = False) -> Array:
    """Take the largest of each window of `size` pixels, two apart; the last may stand out of the image."""
    if to_the_border:
        rest = [(0, (size - n) % 2) for n in x.shape[1:]]
        x = np.pad(x, ((0, 0), *rest), constant_values=-np.inf)
    return np.asarray(sliding_window_view(x, (size, size), axis=(1, 2))[:, ::2, ::2].max(axis=(3, 4)))


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


@cache
def tensors_of(path: str) -> Mapping[str, Array]:
    return {name: tensor.astype(np.float64) for name, tensor in load_file(path).items()}


def normalised(image: Array, mean: Sequence[float], std: Sequence[float]) -> Array:
    """Subtract a mean from the colours of an image in [0, 1], and divide them by a standard deviation."""
    return np.asarray(((image - np.array(mean)[:, None, None]).T / np.array(std)).T)


def lpips_network(net: str) -> tuple[Features, Sequence[Array]]:
    """The features of LPIPS 0.1, which takes images in [-1, 1], and the weights of its layers."""
    features, tensors = {"alex": _alex, "squeeze": _squeeze, "vgg": _vgg}[net], _lpips_tensors(net)
    weights = [tensors[f"linear.{i}"] for i in range(sum(name.startswith("linear") for name in tensors))]

    def of_image(image: Array) -> Sequence[Array]:
        return features(normalised(image, (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)), tensors)

    return of_image, weights


def _lpips_tensors(net: str) -> Mapping[str, Array]:
    if net != "vgg":
        return tensors_of(str(lpips.FILES[net].path))
    # Too large to ship: random ones.
    linear = [tensor.flatten() for tensor in linear_tensors().values()]
    tensors = vgg16_tensors() | {f"linear.{i}": tensor for i, tensor in enumerate(linear)}
    return {name: tensor.double().numpy() for name, tensor in tensors.items()}


def _alex(x: Array, t: Mapping[str, Array]) -> list[Array]:
    layers = [("0.0", 4, 2), ("1.1", 1, 2), ("2.1", 1, 1), ("3.0", 1, 1), ("4.0", 1, 1)]
    features = []
    for name, stride, pad in layers:
        x = pooled(x, 3) if name in ("1.1", "2.1") else x
        x = relu(conv(x, t[f"stages.{name}.weight"], t[f"stages.{name}.bias"], stride=stride, pad=pad))
        features.append(x)
    return features


def _squeeze(x: Array, t: Mapping[str, Array]) -> list[Array]:
    def fire(x: Array, name: str) -> Array:
        weights = [(t[f"stages.{name}.{of}.weight"], t[f"stages.{name}.{of}.bias"]) for of in parts]
        x = relu(conv(x, *weights[0]))
        return np.concatenate([relu(conv(x, *weights[1])), relu(conv(x, *weights[2], pad=1))])

    parts = ("squeeze", "expand1x1", "expand3x3")
    x = relu(conv(x, t["stages.0.0.weight"], t["stages.0.0.bias"], stride=2))
    features = [x]
    for stage in (("1.1", "1.2"), ("2.1", "2.2"), ("3.1",), ("4.0",), ("5.0",), ("6.0",)):
        x = pooled(x, 3, to_the_border=True) if stage[0].endswith(".1") else x
        for name in stage:
            x = fire(x, name)
        features.append(x)
    return features


def _vgg(x: Array, t: Mapping[str, Array]) -> list[Array]:
    """The last layer before each pooling."""
    features = list(vgg16_layers(x, t).values())
    return [features[i] for i in (1, 3, 6, 9, 12)]


def vgg16_layers(x: Array, t: Mapping[str, Array]) -> dict[str, Array]:
    """Every convolution of torchvision's VGG16 after its ReLU, of a normalised image, by its place there."""
    found: dict[str, Array] = {}
    place = 0
    for layer in FEATURES[:-1]:
        if layer == "M":
            x, place = pooled(x, 2), place + 1
            continue
        x = relu(conv(x, t[f"features.{place}.weight"], t[f"features.{place}.bias"], pad=1))
        found[f"features.{place}"], place = x, place + 2
    return found


def mobilefacenet_layers(face: Array) -> list[Array]:
    """MobileFaceNet's last map of each size and its embedding, of a crop (3, 112, 112) in [-1, 1]."""
    t = tensors_of(str(mobilefacenet.FILE.path))

    def layer(x: Array, name: str, **options: int) -> Array:
        return conv(x, t[f"{name}.weight"], t[f"{name}.bias"], **options)

    x = normalised((face + 1) / 2, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    x = np.clip(layer(x, "stem", stride=2, pad=1), 0, 6)
    x = relu(layer(relu(layer(x, "depthwise", pad=1)), "pointwise"))
    maps = [x]
    for block in range(15):
        stride = 2 if block in (0, 5, 12) else 1
        wide = np.clip(layer(x, f"blocks.{block}.widen"), 0, 6)
        wide = np.clip(layer(wide, f"blocks.{block}.depthwise", stride=stride, pad=1), 0, 6)
        narrow = layer(wide, f"blocks.{block}.narrow")
        x = x + narrow if stride == 1 and narrow.shape == x.shape else narrow
        if block in (4, 11, 14):
            maps.append(x)
    x = np.clip(layer(x, "widen"), 0, 6)
    return [*maps, layer(layer(x, "pool"), "embed")]
