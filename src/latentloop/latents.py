"""Codes: drawing, truncating and broadcasting them."""

import torch
from torch import Tensor

from latentloop.generators.protocol import Generator


def broadcast(w: Tensor, num_ws: int) -> Tensor:
    """The same style for every layer: (N, w_dim) in W to (N, num_ws, w_dim) in W+."""
    return w[:, None].expand(-1, num_ws, -1)


def truncate(w_plus: Tensor, latent_avg: Tensor, *, psi: float, cutoff: int | None = None) -> Tensor:
    """Pull styles towards the mean latent: the truncation trick (Karras et al., arXiv:1812.04948).

    Args:
        w_plus: Styles, (N, num_ws, w_dim).
        latent_avg: Mean of W, (w_dim,).
        psi: 1 keeps `w_plus`; 0 gives `latent_avg` everywhere.
        cutoff: How many layers to truncate, coarsest first; None for all.
    """
    cutoff = w_plus.shape[1] if cutoff is None else cutoff
    return torch.cat([latent_avg.lerp(w_plus[:, :cutoff], psi), w_plus[:, cutoff:]], dim=1)


def mean_code(generator: Generator, count: int = 1) -> Tensor:
    """`latent_avg` for every layer, (count, num_ws, w_dim)."""
    return broadcast(generator.latent_avg.expand(count, -1), generator.num_ws)


def sample_codes(
    generator: Generator, count: int, *, randomness: torch.Generator, truncation_psi: float = 1.0
) -> Tensor:
    """Codes of random z, truncated, (count, num_ws, w_dim).

    Args:
        generator: Whose codes.
        count: How many.
        randomness: On the CPU, so that a seed means the same codes on every device.
        truncation_psi: As `psi` of `truncate`.
    """
    z = torch.randn(count, generator.z_dim, generator=randomness).to(generator.latent_avg)
    w_plus = broadcast(generator.mapping(z), generator.num_ws)
    return truncate(w_plus, generator.latent_avg, psi=truncation_psi)
