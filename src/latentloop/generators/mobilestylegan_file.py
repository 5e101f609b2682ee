"""Reading and writing of MobileStyleGAN's tensors.

Files store wavelet bands in the order of the author's network: the C low bands, then for each channel the three high
ones (along H, along W, along both). `inverse_haar` expects band after band, so rows are reordered in both directions.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from latentloop.generators.mobilestylegan import MobileStyleGAN, Shape
from latentloop.weights import with_weights

DESCREENED = "descreened"
"""Name of the setting that switches descreening on."""


def from_tensors(
    tensors: Mapping[str, Tensor], settings: Mapping[str, Any], *, name: str, fingerprint: str
) -> MobileStyleGAN:
    """Build the frozen network from a file's tensors and settings.

    Raises:
        RuntimeError: The tensors do not fit a MobileStyleGAN.
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
    """Return the settings to store in the file of a network."""
    return {DESCREENED: True} if generator.synthesis.descreened else {}


def to_tensors(generator: MobileStyleGAN) -> dict[str, Tensor]:
    """Return the tensors to store in the file of a network."""
    return _reordered(generator.state_dict(), _band_by_channel)


def find_shape(tensors: Mapping[str, Tensor]) -> Shape:
    """Infer the sizes of a network from a file's tensors.

    Raises:
        LookupError, TypeError or ArithmeticError: A required tensor is missing, has too few axes, or is empty.
    """
    blocks = count_blocks(tensors)
    channels = [len(tensors["synthesis.const"])]
    channels += [len(tensors[f"synthesis.blocks.{i}.conv2.conv.pointwise.bias"]) for i in range(blocks)]
    w_dim = len(tensors["latent_avg"])
    head_styles = tensors["synthesis.to_rgb.affine.weight"].shape[1] // w_dim
    bands: Literal[3, 12] = 3 if len(tensors["synthesis.to_rgb.conv.bias"]) == 3 else 12
    return Shape(w_dim=w_dim, num_ws=2 * blocks + 1 + head_styles, channels=tuple(channels), bands=bands)


def on_trunk(tensors: Mapping[str, Tensor], trunk: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Complete a network's tensors with those of a larger one: its mapping network, first layer and first blocks.

    The head and the blocks beyond the network's own are not taken. A file without layers takes all tensors, and
    differs from the larger network in its settings alone.
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
    """Count the blocks of a network by the highest number among its tensors' names."""
    return 1 + max((int(match[1]) for match in map(_BLOCK.match, tensors) if match), default=-1)


_BLOCK = re.compile(r"synthesis\.blocks\.(\d+)\.")
_WAVELET = re.compile(r"synthesis\.(?:blocks\.(\d+)\.up|to_rgb\.conv)\.(weight|bias)")


def _reordered(tensors: Mapping[str, Tensor], order: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Copy of the tensors, with the rows that become wavelet bands reordered."""
    changed = dict(tensors)
    for name in tensors:
        # A head of the three low bands alone (3 rows) has no order to change.
        if (match := _WAVELET.fullmatch(name)) and len(tensors[name]) % 4 == 0:
            changed[name] = order(tensors[name])
            if match[1]:  # a block transforms the output of the layer before it, so that layer's rows move, too
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
