"""Building a StyleGAN3 from tensors under our names or NVIDIA's.

The gains of equalised learning rates and the magnitudes measured in training are folded in. Filters are not stored,
since the settings determine them; those in NVIDIA's files are checked against ours.
"""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from latentloop.generators.folding import (
    LR_MULTIPLIER,
    Converted,
    Settings,
    Tensors,
    count_layers,
    folded_linear,
    three_colours,
)
from latentloop.generators.stylegan3 import Shape, StyleGAN3
from latentloop.weights import with_weights


def _number_or_none(value: Any) -> float | None:  # noqa: ANN401
    return None if value is None else float(value)


SETTINGS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "resolution": ("img_resolution", int),
    "radial": ("use_radial_filters", bool),
    "num_critical": ("num_critical", int),
    "first_cutoff": ("first_cutoff", float),
    "first_stopband": ("first_stopband", float),
    "last_stopband_rel": ("last_stopband_rel", float),
    "margin": ("margin_size", int),
    "filter_size": ("filter_size", int),
    "oversampling": ("lrelu_upsampling", int),
    "clamp": ("conv_clamp", _number_or_none),
    "output_scale": ("output_scale", float),
}
"""Fields of `Shape` that do not follow from the tensors' shapes, with NVIDIA's name and the type of each."""

KNOWN = re.compile(
    r"mapping\.(?:w_avg|(?:embed|fc\d+)\.(?:weight|bias))"
    r"|synthesis\.input\.(?:weight|affine\.weight|affine\.bias|transform|freqs|phases)"
    r"|synthesis\.L\d+_\d+_\d+\.(?:weight|bias|affine\.weight|affine\.bias|magnitude_ema|up_filter|down_filter)"
)
"""Names of the tensors in NVIDIA's files; others belong to an unsupported variant."""


class _Layer(NamedTuple):
    """The numbers in NVIDIA's name of a layer, such as "synthesis.L13_256_128"."""

    number: int
    size: int
    channels: int

    @property
    def name(self) -> str:
        return f"synthesis.L{self.number}_{self.size}_{self.channels}"


def from_tensors(tensors: Tensors, settings: Settings, *, name: str, fingerprint: str) -> StyleGAN3:
    """Build the frozen network from tensors under our names.

    Args:
        tensors: The network's state dictionary.
        settings: Values of `SETTINGS`; the resolution is required.
        name: Name of the generator.
        fingerprint: Fingerprint of its latent space.

    Raises:
        RuntimeError: The tensors do not fit a StyleGAN3.
    """
    try:
        generator = _without_values(find_shape(tensors, settings), name, fingerprint)
    except (LookupError, TypeError, ArithmeticError, ValueError) as error:
        raise RuntimeError(f"missing or misshapen {error}") from error
    return with_weights(generator, dict(tensors))


def find_shape(tensors: Tensors, settings: Settings) -> Shape:
    """Infer the architecture from tensors under our names and settings.

    Raises:
        LookupError, TypeError or ValueError: A required tensor or setting is missing or misshapen.
    """
    depth, convs = (count_layers(tensors, part) for part in ("mapping.fc.", "synthesis.convs."))
    embed, c_dim = tensors.get("mapping.embed.weight"), 0
    z_dim = tensors["mapping.fc.0.weight"].shape[1]
    if embed is not None:
        c_dim, z_dim = embed.shape[1], z_dim - len(embed)
    return Shape(
        mapping=(z_dim, *(len(tensors[f"mapping.fc.{i}.bias"]) for i in range(depth))),
        channels=tuple(len(tensors[f"synthesis.convs.{i}.bias"]) for i in range(convs)),
        c_dim=c_dim,
        kernel=tensors["synthesis.convs.0.weight"].shape[-1],
        **{ours: kind(settings[ours]) for ours, (_, kind) in SETTINGS.items() if ours in settings},
    )


def from_nvidia(tensors: Tensors, settings: Settings) -> Converted:
    """Convert a generator of NVIDIA's stylegan3 to our names.

    Args:
        tensors: Parameters and buffers of the generator.
        settings: Keywords that the network was built with, as far as they are known.

    Raises:
        LookupError, TypeError or ValueError: A tensor is missing, misshapen or unknown, or a filter is not the one that
            follows from the settings.
    """
    if "mapping.embed.bias" not in tensors:  # StyleGAN-XL without classes has an embedding that it does not use
        tensors = {name: tensor for name, tensor in tensors.items() if name != "mapping.embed.weight"}
    unknown = [name for name in tensors if name.startswith(("mapping.", "synthesis.")) and not KNOWN.fullmatch(name)]
    if unknown:
        raise ValueError(f"{min(unknown)}: a tensor that StyleGAN3 does not have")
    *convs, drawing = layers = _layers(tensors)
    ours = _mapping(tensors, (settings.get("mapping_kwargs") or {}).get("lr_multiplier", LR_MULTIPLIER))
    ours |= _input(tensors) | _to_rgb(tensors, drawing.name)
    for layer in convs:
        ours |= _conv(tensors, layer.name, f"synthesis.convs.{layer.number}")
    # What a file's settings lack follows from its tensors: the last layer's size, and 2-D (radial) filters.
    known = {"img_resolution": drawing.size, "use_radial_filters": _is_radial(tensors, layers)} | dict(settings)
    about = {name: kind(known[theirs]) for name, (theirs, kind) in SETTINGS.items() if theirs in known}
    _check_geometry(tensors, layers, _without_values(find_shape(ours, about), "", ""))
    return ours, about


def _without_values(shape: Shape, name: str, fingerprint: str) -> StyleGAN3:
    with torch.device("meta"):
        return StyleGAN3(shape, name=name, fingerprint=fingerprint)


def _layers(tensors: Tensors) -> list[_Layer]:
    """The layers of the synthesis network in order; the last one is ToRGB."""
    matches = filter(None, (re.fullmatch(r"synthesis\.L(\d+)_(\d+)_(\d+)\.weight", name) for name in tensors))
    layers = sorted(_Layer(*map(int, match.groups())) for match in matches)
    if len(layers) < 2 or [layer.number for layer in layers] != list(range(len(layers))):
        raise LookupError(f"synthesis.L: layers {', '.join(str(layer.number) for layer in layers) or 'missing'}")
    return layers


def _mapping(tensors: Tensors, lr_multiplier: float) -> dict[str, Tensor]:
    ours = {"latent_avg": tensors["mapping.w_avg"]} if "mapping.w_avg" in tensors else {}
    for i in range(count_layers(tensors, "mapping.fc")):
        ours |= folded_linear(tensors, f"mapping.fc{i}", f"mapping.fc.{i}", lr_multiplier)
    if "mapping.embed.weight" in tensors:
        ours |= folded_linear(tensors, "mapping.embed", "mapping.embed")
    return ours


def _input(tensors: Tensors) -> dict[str, Tensor]:
    part = "synthesis.input"
    weight = tensors[f"{part}.weight"]
    return folded_linear(tensors, f"{part}.affine", f"{part}.affine") | {
        f"{part}.weight": weight / math.sqrt(weight.shape[1]),  # equalised learning rate, 1 / sqrt(fan-in)
        f"{part}.freqs": tensors[f"{part}.freqs"],
        f"{part}.phases": tensors[f"{part}.phases"],
        f"{part}.transform": _transform(tensors.get(f"{part}.transform", torch.eye(3))),
    }


def _transform(transform: Tensor) -> Tensor:
    """The input transform, (3, 3); training an encoder may have left it repeated for a batch, (N, 3, 3)."""
    if transform.ndim == 3 and len(transform) and torch.equal(transform, transform[:1].expand_as(transform)):
        return transform[0]
    return transform


def _conv(tensors: Tensors, theirs: str, ours: str) -> dict[str, Tensor]:
    return folded_linear(tensors, f"{theirs}.affine", f"{ours}.affine") | {
        # Not scaled by 1 / sqrt(fan-in): demodulation cancels any gain of the weights.
        f"{ours}.weight": tensors[f"{theirs}.weight"],
        f"{ours}.bias": tensors[f"{theirs}.bias"],
        # magnitude_ema is the running mean of the squared features.
        f"{ours}.input_gain": tensors[f"{theirs}.magnitude_ema"].reshape(()).rsqrt(),
    }


def _to_rgb(tensors: Tensors, theirs: str) -> dict[str, Tensor]:
    weight, bias = three_colours(tensors[f"{theirs}.weight"].flatten(1), tensors[f"{theirs}.bias"], theirs)
    # ToRGB has no demodulation, so both its gains go into the weights.
    gain = tensors[f"{theirs}.magnitude_ema"].reshape(()).rsqrt() / math.sqrt(weight.shape[1])
    ours = "synthesis.to_rgb"
    affine = folded_linear(tensors, f"{theirs}.affine", f"{ours}.affine")
    return affine | {f"{ours}.weight": weight * gain, f"{ours}.bias": bias}


def _is_radial(tensors: Tensors, layers: list[_Layer]) -> bool:
    filters = (tensors.get(f"{layer.name}.down_filter") for layer in layers)
    return any(taps is not None and taps.ndim == 2 for taps in filters)


def _check_geometry(tensors: Tensors, layers: list[_Layer], network: StyleGAN3) -> None:
    """Check the sizes in the layers' names and the filters in the file against those that follow from the settings."""
    if layers[-1].size != network.resolution:
        raise ValueError(f"{layers[-1].name}: the settings give {network.resolution} pixels")
    for layer, conv in zip(layers, network.synthesis.layers, strict=False):
        if layer.size != conv.size:
            raise ValueError(f"{layer.name}: the settings give {conv.size} pixels")
        for name, ours in (("up_filter", conv.up_taps), ("down_filter", conv.down_taps)):
            taps = tensors.get(f"{layer.name}.{name}")
            if taps is not None and (taps.shape != ours.shape or not torch.allclose(taps.float(), ours, atol=1e-5)):
                raise ValueError(f"{layer.name}.{name}: not the filter that follows from the settings")
