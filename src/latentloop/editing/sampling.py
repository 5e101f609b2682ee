"""Samples of W, which directions are found from."""

import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.generators import Generator, random_inputs

BATCH = 1000


@torch.inference_mode()
def sample_w(generator: Generator, count: int, randomness: torch.Generator) -> Tensor:
    """Styles of random z, (count, w_dim), not truncated, on the CPU.

    Args:
        generator: Whose W.
        count: How many.
        randomness: On the CPU, so that a seed means the same styles on every device.

    Raises:
        UserError: The generator has no W: its mapping network makes another style for each layer.
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
