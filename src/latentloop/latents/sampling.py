"""Random codes, the mean code, truncation, and broadcasting W to W+."""

import torch
from torch import Tensor

from latentloop.generators.protocol import Generator
from latentloop.generators.sampling import random_inputs


def broadcast(w: Tensor, num_ws: int) -> Tensor:
    """Repeat a style for every layer: (N, w_dim) in W to (N, num_ws, w_dim) in W+; codes in W+ stay as they are."""
    return w if w.ndim == 3 else w[:, None].expand(-1, num_ws, -1)


def truncate(w_plus: Tensor, latent_avg: Tensor, *, psi: float, cutoff: int | None = None) -> Tensor:
    """Pull styles towards the mean latent: the truncation trick (Karras et al., arXiv:1812.04948).

    Args:
        w_plus: Styles, (N, num_ws, w_dim).
        latent_avg: Mean of W, (w_dim,), or of each layer's styles, (num_ws, w_dim).
        psi: 1 keeps `w_plus`; 0 gives `latent_avg` everywhere.
        cutoff: Number of layers to truncate, coarsest first; None for all.
    """
    cutoff = w_plus.shape[1] if cutoff is None else cutoff
    centre = latent_avg[:cutoff] if latent_avg.ndim == 2 else latent_avg
    return torch.cat([centre.lerp(w_plus[:, :cutoff], psi), w_plus[:, cutoff:]], dim=1)


def mean_code(generator: Generator, count: int = 1) -> Tensor:
    """Build codes that are the mean latent in every layer, (count, num_ws, w_dim)."""
    average = generator.latent_avg
    return broadcast(average.expand(count, *average.shape), generator.num_ws)


def sample_codes(
    generator: Generator,
    count: int,
    *,
    randomness: torch.Generator,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    label: int | None = None,
) -> Tensor:
    """Sample codes of random z, truncated, (count, num_ws, w_dim).

    Args:
        generator: Generator whose mapping network is used.
        count: Number of codes.
        randomness: Source of z; on the CPU, so that a seed means the same codes on every device.
        truncation_psi: Truncation, from 1 (none) to 0 (the mean latent), see `truncate`.
        truncation_cutoff: Number of layers to truncate, coarsest first; None for all.
        label: Class of all codes, for a generator with classes; None for random ones.

    Raises:
        ValueError: There is no such class.
    """
    z, labels = random_inputs(generator, count, randomness, label=label)
    w_plus = broadcast(generator.mapping(z, labels), generator.num_ws)
    return truncate(w_plus, generator.latent_avg, psi=truncation_psi, cutoff=truncation_cutoff)
