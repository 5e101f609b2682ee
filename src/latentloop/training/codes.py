"""Codes to train on: what a mapping network gives, and the W+ around it, where the codes of photos lie."""

import torch
from torch import Tensor

from latentloop.generators.protocol import Generator

PSI = (0.5, 1.0)
"""Truncations, evenly."""
PLAIN, CROSSED, INDEPENDENT = 0.45, 0.15, 0.25
"""Shares of codes; the rest lie between two."""


@torch.no_grad()
def sample_training_codes(generator: Generator, count: int, *, randomness: torch.Generator) -> Tensor:
    """Random codes, (count, num_ws, w_dim), each truncated by its own psi.

    Plain ones of W; two of them crossed at a layer (style mixing, Karras et al., arXiv:1812.04948); a style of its
    own for every layer; and points between two, farther along in each layer by a random share.

    Args:
        generator: Whose codes.
        count: How many.
        randomness: On the CPU, so that a seed means the same codes on every device.
    """
    num_ws, device = generator.num_ws, generator.latent_avg.device
    z = torch.randn(count * num_ws, generator.z_dim, generator=randomness)
    psi = torch.empty(count, 1, 1).uniform_(*PSI, generator=randomness)
    kind = torch.rand(count, 1, generator=randomness)
    crossing = torch.randint(1, num_ws, (count, 1), generator=randomness)
    share = torch.rand(count, num_ws, 1, generator=randomness)
    styles = generator.mapping(z.to(device)).unflatten(0, (count, num_ws)).cpu()
    layer = torch.arange(num_ws).expand(count, -1)
    source = torch.where(kind < PLAIN + CROSSED + INDEPENDENT, layer, 0)
    source = torch.where(kind < PLAIN + CROSSED, (layer >= crossing).long(), source)
    source = torch.where(kind < PLAIN, 0, source)
    w_plus = styles.gather(1, source[:, :, None].expand_as(styles))
    between = kind[:, :, None] >= PLAIN + CROSSED + INDEPENDENT
    w_plus = torch.where(between, styles[:, :1].lerp(styles[:, 1:2], share), w_plus)
    return generator.latent_avg.cpu().lerp(w_plus, psi).to(device)
