"""The mapping network of every StyleGAN: from Z to W (Karras et al., arXiv:1812.04948)."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
"""Negative slope of every leaky ReLU in StyleGAN 1, 2 and 3 and MobileStyleGAN."""


def unit_length(x: Tensor) -> Tensor:
    """Scale each row of (N, C) to a mean square of 1: the pixel norm of StyleGAN's latents."""
    # The epsilon is that of all StyleGANs.
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class Mapping(nn.Module):
    """The mapping network: fully connected layers with leaky ReLU, learning-rate gains folded into the weights."""

    def __init__(self, widths: Sequence[int], *, c_dim: int = 0, gain: float = math.sqrt(2)) -> None:
        """Build the network with random weights.

        Args:
            widths: Length of z, then of each layer's output: nine numbers for eight layers.
            c_dim: Number of classes of a conditional network, whose label is embedded and appended to z; 0 for none.
            gain: Factor after each activation; 1 where it is folded into the weights.
        """
        super().__init__()
        z_dim = widths[0]
        self.z_dim, self.c_dim, self.gain = z_dim, c_dim, gain
        self.embed = nn.Linear(c_dim, widths[1]) if c_dim else None
        first = z_dim + (widths[1] if c_dim else 0)
        self.fc = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise([first, *widths[1:]]))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map z, (N, z_dim), to w, (N, w_dim).

        Args:
            z: Latents in Z, normalised here, so their scale does not matter.
            labels: One-hot classes, (N, c_dim); required if the network is conditional.

        Raises:
            ValueError: Labels for an unconditional network, or none or misshapen ones for a conditional network.
        """
        x = unit_length(z)
        if self.embed is None and labels is not None:
            raise ValueError("labels must be None for a network without classes")
        if self.embed is not None:
            if labels is None or labels.shape != (len(z), self.c_dim):
                raise ValueError(
                    f"labels must be ({len(z)}, {self.c_dim}), got {labels if labels is None else tuple(labels.shape)}"
                )
            # As in ADA and StyleGAN3: z and the embedded label are normalised separately, then concatenated.
            x = torch.cat([x, unit_length(self.embed(labels.to(z)))], dim=1)
        for layer in self.fc:
            x = F.leaky_relu(layer(x), SLOPE) * self.gain
        return x
