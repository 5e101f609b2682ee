"""Layers of StyleGAN2 (Karras et al., arXiv:1912.04958).

Styles modulate the features instead of the weights. The result is the same, and the whole batch shares one convolution:
synthesis needs no grouped convolution, and the gradient of the code needs no gradient of modulated weights.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.generators.mapping import SLOPE
from latentloop.generators.resampling import blur

GAIN = math.sqrt(2)
"""Gain of the leaky ReLU, which keeps the variance of features about 1."""


class StyledConv(nn.Module):
    """A modulated 3x3 convolution with demodulation, then noise, bias and activation."""

    noise_const: Tensor
    norms: Tensor | None
    """Squared norm of the kernel of each output and input channel, (out_channels, in_channels), after `prepare`."""

    def __init__(
        self, w_dim: int, in_channels: int, out_channels: int, resolution: int, *, up: bool, clamp: float | None
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.clamp = resolution, up, clamp
        self.affine = nn.Linear(w_dim, in_channels)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros(()))  # one for all channels, unlike StyleGAN1's
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("norms", None, persistent=False)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Map features (N, in_channels, R, R), or R/2 if the layer upsamples, to (N, out_channels, R, R).

        Args:
            x: Features, of half the resolution if this layer doubles it.
            style: Scales of the input channels, (N, in_channels).
            noise: Noise maps of unit strength, (N or 1, 1, R, R); None for no noise.
        """
        x = x * style[:, :, None, None]
        if self.up:
            x = blur(F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2))  # R/2 -> R + 1 -> R pixels
        else:
            x = F.conv2d(x, self.weight, padding=1)
        # Leaky ReLU is positively homogeneous, so its gain moves before it, into tensors smaller than the features.
        shift = GAIN * self.bias[:, None, None]
        x = torch.addcmul(shift, x, GAIN * self.demodulation(style)[:, :, None, None])
        if noise is not None:
            x.add_(GAIN * self.noise_strength * noise)
        x = F.leaky_relu_(x, SLOPE)
        return _clamped(x, self.clamp)

    def demodulation(self, style: Tensor) -> Tensor:
        """Compute the demodulation factors: 1 / norm of each output channel's modulated weights, (N, out_channels)."""
        if self.weight.requires_grad:
            self.norms = None  # the cache would be stale once trainable weights have changed
        # Sum over k of (style_i w_oik)^2 = style_i^2 times the kernel's squared norm: one product instead of N kernels.
        norms = self.weight.square().sum(dim=(2, 3)) if self.norms is None else self.norms
        return (style.square() @ norms.T + 1e-8).rsqrt()

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        self.norms = None  # belongs to the weights that are replaced
        super()._load_from_state_dict(*args, **kwargs)

    def prepare(self) -> None:
        """Arrange frozen weights in the memory layout of the convolution, and cache their squared norms."""
        # Channels-last, as the features are; a transposed convolution has its axes in the order (in, out).
        rows = self.weight.transpose(0, 1) if self.up else self.weight
        rows = rows.contiguous(memory_format=torch.channels_last)
        self.weight.data = rows.transpose(0, 1) if self.up else rows
        self.norms = self.weight.detach().square().sum(dim=(2, 3))


def _clamped(x: Tensor, limit: float | None) -> Tensor:
    return x if limit is None else x.clamp(-limit, limit)


class ToRGB(nn.Module):
    """A modulated 1x1 convolution to RGB, without demodulation."""

    def __init__(self, w_dim: int, in_channels: int, *, clamp: float | None) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = nn.Linear(w_dim, in_channels)
        self.weight = nn.Parameter(torch.randn(3, in_channels) / math.sqrt(in_channels))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map features (N, in_channels, R, R) and styles (N, in_channels) to RGB (N, 3, R, R)."""
        # Here the weights are modulated: with 3 rows per image that is cheaper than a pass over the features.
        weight = self.weight * style[:, None]
        rgb = torch.baddbmm(self.bias[:, None], weight, x.flatten(2)).unflatten(2, x.shape[2:])
        return _clamped(rgb, self.clamp)
