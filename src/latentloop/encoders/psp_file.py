"""Building encoders from the checkpoints of pSp, e4e and ReStyle.

The gains of equalised learning rates are folded into the weights.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from latentloop.encoders.irse import IRSE50, Stages
from latentloop.encoders.psp import Heads, LastLayerIntoW, LastLayerIntoWPlus, PretrainedEncoder, StyleHeads
from latentloop.errors import shown
from latentloop.weights import with_weights

Tensors = Mapping[str, Tensor]
Options = Mapping[str, Any]

PREFIX = "encoder."
COUNTER = ".num_batches_tracked"
INTO_W, INTO_W_PLUS = "BackboneEncoderUsingLastLayerIntoW", "BackboneEncoderUsingLastLayerIntoWPlus"
# By `encoder_type`: (pyramid, progressive), as in `StyleHeads`.
HEADS = {
    "GradualStyleEncoder": (True, False),
    "Encoder4Editing": (True, True),
    "BackboneEncoder": (False, False),
    "ProgressiveBackboneEncoder": (False, True),
}
KINDS = {name: name for name in (*HEADS, INTO_W, INTO_W_PLUS)} | {"SingleStyleCodeEncoder": INTO_W}
OF_E4E = frozenset({"delta_norm", "progressive_start", "progressive_step_every", "progressive_steps", "stylegan_size"})
"""Training options that e4e has and pSp lacks; they tell the two apart when `encoder_type` is missing."""


def from_checkpoint(tensors: Tensors, opts: Options, latent_avg: Tensor | None) -> PretrainedEncoder:
    """Build the frozen encoder of a checkpoint.

    Args:
        tensors: The checkpoint's `state_dict`, of which names that begin with "encoder." are used.
        opts: Options that the encoder was trained with, as far as they are known.
        latent_avg: The generator's mean of w, (w_dim,), (1, w_dim) or (num_ws, w_dim); None if unknown.

    Raises:
        RuntimeError: The tensors are not a supported encoder's, or it is ambiguous which one.
    """
    theirs = {n.removeprefix(PREFIX): t for n, t in tensors.items() if n.startswith(PREFIX)}
    if "input_layer.0.weight" not in theirs:
        raise RuntimeError("not an encoder on IR-SE50: encoder.input_layer.0.weight is missing")
    try:
        encoder = _build(theirs, opts, latent_avg)
        ours = _ours(theirs, encoder)
    except (LookupError, TypeError, ArithmeticError, ValueError) as error:
        raise RuntimeError(f"missing or misshapen {error}") from error
    return with_weights(encoder, ours)


def find_kind(tensors: Tensors, opts: Options) -> str:
    """Find the `encoder_type` of an encoder from its options or its tensors.

    Raises:
        RuntimeError: The type is not supported, or ambiguous.
    """
    if (name := opts.get("encoder_type")) is not None:
        if not isinstance(name, str) or name not in KINDS:
            raise RuntimeError(f"encoder_type must be one of {', '.join(KINDS)}, got {shown(name)}")
        return KINDS[name]
    if "styles.0.linear.weight" not in tensors:
        return INTO_W_PLUS if "output_layer_2.3.weight" in tensors else INTO_W
    plain, progressive = (n for n, (pyramid, _) in HEADS.items() if pyramid == ("latlayer1.weight" in tensors))
    if OF_E4E.isdisjoint(opts):
        raise RuntimeError(f"{plain} and {progressive} have the same tensors; set encoder_type in opts")
    return progressive


def find_stages(tensors: Tensors) -> Stages:
    """Infer channels and blocks of each stage of a trunk; a new stage begins where the channels change.

    Raises:
        LookupError: Blocks are missing.
    """
    channels = [len(tensors[f"body.{i}.res_layer.4.bias"]) for i in range(_count(tensors, "body"))]
    begins = [0, *(i for i in range(1, len(channels)) if channels[i] != channels[i - 1])]
    return [(channels[i], end - i) for i, end in zip(begins, [*begins[1:], len(channels)], strict=True)]


def _build(tensors: Tensors, opts: Options, latent_avg: Tensor | None) -> PretrainedEncoder:
    """The encoder of a checkpoint, on the meta device, without weights."""
    in_channels = tensors["input_layer.0.weight"].shape[1]
    if in_channels not in (3, 6):
        raise RuntimeError(f"the encoder must take 3 or 6 channels, takes {in_channels}")
    # ReStyle starts from the mean latent whatever the options say.
    from_latent_avg = in_channels == 6 or bool(opts.get("start_from_latent_avg", True))
    with torch.device("meta"):
        trunk = IRSE50(in_channels, stages=find_stages(tensors))
        heads = _heads(tensors, opts, trunk.channels, latent_avg)
    mean = _mean(latent_avg, heads, needed=from_latent_avg)
    return PretrainedEncoder(trunk, heads, latent_avg=mean, from_latent_avg=from_latent_avg)


def _heads(tensors: Tensors, opts: Options, channels: tuple[int, ...], latent_avg: Tensor | None) -> Heads:
    kind = find_kind(tensors, opts)
    if kind == INTO_W:
        w_dim = len(tensors["linear.bias"])
        return LastLayerIntoW(channels[-1], w_dim=w_dim, num_ws=_num_ws_of_generator(opts, latent_avg))
    if kind == INTO_W_PLUS:
        w_dim = len(tensors["output_layer_2.3.bias"])
        return LastLayerIntoWPlus(channels[-1], w_dim=w_dim, num_ws=len(tensors["linear.bias"]) // w_dim)
    pyramid, progressive = HEADS[kind]
    return StyleHeads(
        channels,
        w_dim=len(tensors["styles.0.linear.bias"]),
        num_ws=_count(tensors, "styles"),
        # Every strided convolution of the first (coarse) head halves its features, down to one pixel.
        size=1 << len([n for n in tensors if n.startswith("styles.0.convs.") and n.endswith(".weight")]),
        pyramid=pyramid,
        progressive=progressive,
    )


def _num_ws_of_generator(opts: Options, latent_avg: Tensor | None) -> int:
    """Number of styles of the generator, for an encoder that predicts one style for all layers."""
    if latent_avg is not None and latent_avg.ndim == 2 and len(latent_avg) > 1:
        return len(latent_avg)
    size = opts.get("output_size", opts.get("stylegan_size"))
    if not isinstance(size, int) or size < 4:
        raise RuntimeError("the number of the generator's styles is missing; set output_size in opts")
    return 2 * size.bit_length() - 4  # 2 log2(size) - 2 styles: 18 for 1024 pixels


def _mean(latent_avg: Tensor | None, heads: Heads, *, needed: bool) -> Tensor:
    if latent_avg is None and needed:
        raise RuntimeError("its codes are offsets from latent_avg, which is missing")
    mean = torch.zeros(heads.w_dim) if latent_avg is None else latent_avg.float()
    return mean[0] if mean.ndim == 2 and len(mean) == 1 else mean


def _count(tensors: Tensors, part: str) -> int:
    """Number of layers of a part of the encoder."""
    numbers = {int(name.split(".")[1]) for name in tensors if name.startswith(f"{part}.")}
    if not numbers or numbers != set(range(len(numbers))):
        raise LookupError(f"{PREFIX}{part}: layers {sorted(numbers)}")
    return len(numbers)


def _ours(theirs: Tensors, encoder: PretrainedEncoder) -> dict[str, Tensor]:
    """The tensors under our names, which are theirs with the part (trunk or heads) in front."""
    names = {name.partition(".")[2]: name for name in encoder.state_dict() if "." in name}
    if alien := theirs.keys() - names.keys():
        raise RuntimeError(f"{PREFIX}{min(alien)} belongs to another kind of encoder")
    ours = {name: theirs[n].float() for n, name in names.items() if not n.endswith(COUNTER)}
    for name in ours:
        if name.endswith("linear.weight"):  # their EqualLinear multiplies by 1 / sqrt(fan-in) at run time
            ours[name] = ours[name] / math.sqrt(ours[name].shape[1])
    return ours | {"latent_avg": encoder.latent_avg}
