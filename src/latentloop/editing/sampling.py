"""Samples of W, from which directions are computed."""

import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.generators import Generator, random_inputs

BATCH = 1000
"""Number of styles that are mapped at a time."""


@torch.inference_mode()
def sample_w(generator: Generator, count: int, randomness: torch.Generator) -> Tensor:
    """Sample untruncated styles of random z, (count, w_dim), on the CPU.

    Args:
        generator: Generator whose mapping network is used.
        count: Number of styles.
        randomness: Source of z; on the CPU, so that a seed gives the same styles on every device.

    Raises:
        UserError: The generator has no W, since its mapping network returns one style per layer.
    """
    styles = []
    for first in range(0, count, BATCH):
        w = generator.mapping(*random_inputs(generator, min(BATCH, count - first), randomness))
        if w.ndim != 2:
            raise UserError(
                f"{generator.name}: its mapping network returns one style per layer, so there is no W for directions"
            )
        styles.append(w.cpu())
    return torch.cat(styles)
