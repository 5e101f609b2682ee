"""The mapping network of every StyleGAN: from Z to W (Karras et al., arXiv:1812.04948)."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2


def unit_length(x: Tensor) -> Tensor:
    """Scale each of (N, C) to a mean square of 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class Mapping(nn.Module):
    """The mapping network: fully connected layers, with learning-rate multipliers folded into the weights."""

    def __init__(self, widths: Sequence[int], *, c_dim: int = 0, gain: float = math.sqrt(2)) -> None:
        """Build the network.

        Args:
            widths: Lengths of z and of each layer's output: nine numbers for eight layers.
            c_dim: Classes of a conditional network, whose labels enter beside z; 0 for none.
            gain: Factor of the activation's output.
        """
        super().__init__()
        z_dim = widths[0]
        self.z_dim, self.c_dim, self.gain = z_dim, c_dim, gain
        self.embed = nn.Linear(c_dim, widths[1]) if c_dim else None
        first = z_dim + (widths[1] if c_dim else 0)
        self.fc = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise([first, *widths[1:]]))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map (N, z_dim) to (N, w_dim).

        Args:
            z: In Z.
            labels: Classes, one-hot, (N, c_dim); a conditional network needs them.

        Raises:
            ValueError: There are labels and no classes, or classes and no labels.
        """
        x = unit_length(z)
        if self.embed is None and labels is not None:
            raise ValueError("labels given to a network without classes")
        if self.embed is not None:
            if labels is None or labels.shape != (len(z), self.c_dim):
                raise ValueError(
                    f"labels must be ({len(z)}, {self.c_dim}), got {labels if labels is None else tuple(labels.shape)}"
                )
            x = torch.cat([x, unit_length(self.embed(labels.to(z)))], dim=1)
        for layer in self.fc:
            x = F.leaky_relu(layer(x), SLOPE) * self.gain
        return x
