"""Reading and writing the tensors of MobileStyleGAN.

In files the wavelet bands lie as the author's network has them: C low ones, then for each of the C the bands that are
high along H, along W, and along both. `inverse_haar` wants band after band, so rows are reordered on their way.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from latentloop.generators.mobilestylegan import MobileStyleGAN, Shape
from latentloop.weights import with_weights

DESCREENED = "descreened"
"""Setting: the pattern of periods 2, 4 and 8 is taken out of the images."""


def from_tensors(
    tensors: Mapping[str, Tensor], settings: Mapping[str, Any], *, name: str, fingerprint: str
) -> MobileStyleGAN:
    """Build the frozen network of a file's tensors and settings.

    Raises:
        RuntimeError: The tensors are not those of a MobileStyleGAN.
    """
    try:
        with torch.device("meta"):
            shape, descreened = find_shape(tensors), settings.get(DESCREENED) is True
            generator = MobileStyleGAN(shape, name=name, fingerprint=fingerprint, descreened=descreened)
        reordered = _reordered(tensors, _band_after_band)
    except (LookupError, TypeError, ArithmeticError, ValueError) as error:
        raise RuntimeError(f"missing or misshapen {error}") from error
    return with_weights(generator, reordered)


def settings_of(generator: MobileStyleGAN) -> dict[str, Any]:
    """Give the settings that a file of this network holds."""
    return {DESCREENED: True} if generator.synthesis.descreened else {}


def to_tensors(generator: MobileStyleGAN) -> dict[str, Tensor]:
    """Give the tensors that a file of this network holds."""
    return _reordered(generator.state_dict(), _band_by_channel)


def find_shape(tensors: Mapping[str, Tensor]) -> Shape:
    """Find the sizes of a network from a file's tensors.

    Raises:
        LookupError, TypeError or ArithmeticError: A tensor that tells them is missing, no vector, or empty.
    """
    blocks = count_blocks(tensors)
    channels = [len(tensors["synthesis.const"])]
    channels += [len(tensors[f"synthesis.blocks.{i}.conv2.conv.pointwise.bias"]) for i in range(blocks)]
    w_dim = len(tensors["latent_avg"])
    head_styles = tensors["synthesis.to_rgb.affine.weight"].shape[1] // w_dim
    bands: Literal[3, 12] = 3 if len(tensors["synthesis.to_rgb.conv.bias"]) == 3 else 12
    return Shape(w_dim=w_dim, num_ws=2 * blocks + 1 + head_styles, channels=tuple(channels), bands=bands)


def on_trunk(tensors: Mapping[str, Tensor], trunk: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Complete a network by the tensors that it shares with a larger one: all but the head and later blocks.

    A file without any layers shares them all, and differs in its settings alone.
    """
    blocks = count_blocks(tensors)
    if not blocks:
        return {**trunk, **tensors}
    shared = {
        name: tensor
        for name, tensor in trunk.items()
        if not name.startswith("synthesis.to_rgb.") and not ((match := _BLOCK.match(name)) and int(match[1]) >= blocks)
    }
    return shared | dict(tensors)


def count_blocks(tensors: Mapping[str, Tensor]) -> int:
    """Count the blocks of a network, judged by the number of the last one."""
    return 1 + max((int(match[1]) for match in map(_BLOCK.match, tensors) if match), default=-1)


_BLOCK = re.compile(r"synthesis\.blocks\.(\d+)\.")
_WAVELET = re.compile(r"synthesis\.(?:blocks\.(\d+)\.up|to_rgb\.conv)\.(weight|bias)")


def _reordered(tensors: Mapping[str, Tensor], order: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """The tensors with all rows reordered that become wavelet bands."""
    changed = dict(tensors)
    for name in tensors:
        # Three low bands alone have no order to change.
        if (match := _WAVELET.fullmatch(name)) and len(tensors[name]) % 4 == 0:
            changed[name] = order(tensors[name])
            if match[1]:  # a block transforms what the layer before it made
                before = f"blocks.{int(match[1]) - 1}.conv2.conv.pointwise" if int(match[1]) else "conv1.conv"
                source = f"synthesis.{before}.{match[2]}"
                changed[source] = order(tensors[source])
    return changed


def _band_after_band(rows: Tensor) -> Tensor:
    channels = len(rows) // 4
    high = rows[channels:].unflatten(0, (channels, 3)).transpose(0, 1).flatten(0, 1)
    return torch.cat([rows[:channels], high])


def _band_by_channel(rows: Tensor) -> Tensor:
    channels = len(rows) // 4
    high = rows[channels:].unflatten(0, (3, channels)).transpose(0, 1).flatten(0, 1)
    return torch.cat([rows[:channels], high])
