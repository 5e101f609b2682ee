"""Layers of StyleGAN2 (Karras et al., arXiv:1912.04958).

Styles scale the features instead of the weights, which one convolution for the whole batch then shares: drawing needs
no grouped convolution, and the gradient in the code none of the weights.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.generators.mapping import SLOPE
from latentloop.generators.resampling import blur

GAIN = math.sqrt(2)
"""Gain of the leaky ReLU activation."""


class StyledConv(nn.Module):
    """A modulated convolution with demodulation, then noise, bias and activation."""

    noise_const: Tensor
    norms: Tensor | None
    """Squared norms of the weights between each output and input, (out_channels, in_channels), once prepared."""

    def __init__(
        self, w_dim: int, in_channels: int, out_channels: int, resolution: int, *, up: bool, clamp: float | None
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.clamp = resolution, up, clamp
        self.affine = nn.Linear(w_dim, in_channels)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("norms", None, persistent=False)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Map features (N, in_channels, R or R/2, ...) under styles (N, in_channels) to (N, out_channels, R, R).

        Args:
            x: Features, of half the resolution if this layer doubles it.
            style: Scales of the channels.
            noise: Maps, (N or 1, 1, R, R), of unit strength; None for none.
        """
        x = x * style[:, :, None, None]
        if self.up:
            x = blur(F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2))
        else:
            x = F.conv2d(x, self.weight, padding=1)
        # The activation is positively homogeneous: its gain goes into the small tensors before it.
        shift = GAIN * self.bias[:, None, None]
        x = torch.addcmul(shift, x, GAIN * self.demodulation(style)[:, :, None, None])
        if noise is not None:
            x.add_(GAIN * self.noise_strength * noise)
        x = F.leaky_relu_(x, SLOPE)
        return _clamped(x, self.clamp)

    def demodulation(self, style: Tensor) -> Tensor:
        """Give one over the norm of each output's modulated weights, (N, out_channels)."""
        if self.weight.requires_grad:
            self.norms = None  # weights that learn will be others when they are frozen again
        norms = self.weight.square().sum(dim=(2, 3)) if self.norms is None else self.norms
        return (style.square() @ norms.T + 1e-8).rsqrt()

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        self.norms = None
        super()._load_from_state_dict(*args, **kwargs)

    def prepare(self) -> None:
        """Lay weights that will not change out as the convolution wants them, and keep what depends on them alone."""
        # Channels-last, as the features are; the transposed convolution has its weights the other way round.
        rows = self.weight.transpose(0, 1) if self.up else self.weight
        rows = rows.contiguous(memory_format=torch.channels_last)
        self.weight.data = rows.transpose(0, 1) if self.up else rows
        self.norms = self.weight.detach().square().sum(dim=(2, 3))


def _clamped(x: Tensor, limit: float | None) -> Tensor:
    return x if limit is None else x.clamp(-limit, limit)


class ToRGB(nn.Module):
    """A modulated 1x1 convolution to colours, without demodulation."""

    def __init__(self, w_dim: int, in_channels: int, *, clamp: float | None) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = nn.Linear(w_dim, in_channels)
        self.weight = nn.Parameter(torch.randn(3, in_channels) / math.sqrt(in_channels))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map features (N, in_channels, R, R) under styles (N, in_channels) to colours (N, 3, R, R)."""
        # Three rows a picture are few enough to modulate: no pass over the features but the product's own.
        weight = self.weight * style[:, None]
        rgb = torch.baddbmm(self.bias[:, None], weight, x.flatten(2)).unflatten(2, x.shape[2:])
        return _clamped(rgb, self.clamp)
