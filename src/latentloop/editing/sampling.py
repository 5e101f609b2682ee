"""Samples of W, from which directions are computed."""

import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.generators import Generator, random_inputs

BATCH = 1000
"""Number of styles that are mapped at once."""


@torch.inference_mode()
def sample_w(generator: Generator, count: int, randomness: torch.Generator) -> Tensor:
    """Draw styles of random z, (count, w_dim), not truncated, on the CPU.

    Args:
        generator: Generator whose mapping network is used.
        count: Number of styles.
        randomness: Source of z; on the CPU, so that a seed means the same styles on every device.

    Raises:
        UserError: The generator has no W: its mapping network gives each layer a style of its own.
    """
    styles = []
    for first in range(0, count, BATCH):
        w = generator.mapping(*random_inputs(generator, min(BATCH, count - first), randomness))
        if w.ndim != 2:
            raise UserError(
                f"{generator.name}: makes a style for each layer, so that it has no W to find directions in"
            )
        styles.append(w.cpu())
    return torch.cat(styles)
