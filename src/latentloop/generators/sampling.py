"""Random inputs for the mapping network."""

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.generators.protocol import Generator


def random_inputs(
    generator: Generator, count: int, randomness: torch.Generator, *, label: int | None = None
) -> tuple[Tensor, Tensor | None]:
    """Draw z ~ N(0, I), (count, z_dim), and one-hot labels, (count, c_dim), or None for an unconditional generator.

    Args:
        generator: Generator to sample for.
        count: Number of samples.
        randomness: CPU random generator, so that a seed gives the same samples on every device.
        label: Class of all samples; None for random classes.

    Raises:
        ValueError: The generator has no such class.
    """
    if label is not None and not 0 <= label < generator.c_dim:
        has = f"the classes 0 to {generator.c_dim - 1}" if generator.c_dim else "no classes"
        raise ValueError(f"{generator.name} has {has}, got {label}")
    z = torch.randn(count, generator.z_dim, generator=randomness)
    if not generator.c_dim:
        return z.to(generator.latent_avg), None
    classes = torch.full((count,), label) if label is not None else _any(generator.c_dim, count, randomness)
    return z.to(generator.latent_avg), F.one_hot(classes, generator.c_dim).to(generator.latent_avg)


def _any(c_dim: int, count: int, randomness: torch.Generator) -> Tensor:
    return torch.randint(c_dim, (count,), generator=randomness)
