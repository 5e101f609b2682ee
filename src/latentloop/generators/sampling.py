"""Random inputs of the mapping network."""

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.generators.protocol import Generator


def random_inputs(
    generator: Generator, count: int, randomness: torch.Generator, *, label: int | None = None
) -> tuple[Tensor, Tensor | None]:
    """Draw standard normal z, (count, z_dim), and labels, (count, c_dim), where the generator has classes.

    Args:
        generator: The generator to sample for.
        count: Number of samples.
        randomness: A random generator on the CPU, so that a seed means the same on every device.
        label: Class of all of them; None for random ones.

    Raises:
        ValueError: There is no such class.
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
