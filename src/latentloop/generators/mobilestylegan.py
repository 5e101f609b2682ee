"""MobileStyleGAN in plain PyTorch (Belousov, arXiv:2104.04767), with demodulation folded into the weights.

StyleGAN2's blocks with depthwise-separable convolutions, an inverse Haar transform in place of upsampling, and one
head that predicts the wavelet bands of the image. A network distilled from a StyleGAN2 shares its mapping network,
hence its W space.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = (512, 512, 512, 512, 512, 256, 128, 64)
"""Channels after the constant and after each block of the network for 1024 pixels."""
SLOPE = 0.2


def inverse_haar(bands: Tensor) -> Tensor:
    """Orthonormal inverse Haar transform, (N, 4C, H, W) to (N, C, 2H, 2W) in channels-last memory.

    Channels are C low bands, then for each of the C the bands that are high along H, along W, and along both.
    """
    # Channels-last throughout: on a CPU it halves the time of the convolutions that follow and of their gradients.
    bands = 0.5 * bands.permute(0, 2, 3, 1)
    channels = bands.shape[-1] // 4
    low, high = bands[..., :channels], bands[..., channels:].unflatten(-1, (channels, 3))
    high_h, high_w, high_both = high.unbind(-1)
    upper, upper_step = low + high_h, high_w + high_both
    lower, lower_step = low - high_h, high_w - high_both
    upper_row = torch.stack([upper + upper_step, upper - upper_step], dim=3)
    lower_row = torch.stack([lower + lower_step, lower - lower_step], dim=3)
    return torch.stack([upper_row, lower_row], dim=2).flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


class Mapping(nn.Module):
    """Eight fully connected layers from Z to W."""

    def __init__(self, dim: int, depth: int = 8) -> None:
        super().__init__()
        self.fc = nn.ModuleList(nn.Linear(dim, dim) for _ in range(depth))

    def forward(self, z: Tensor) -> Tensor:
        """Map (N, z_dim) to (N, w_dim)."""
        x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.fc:
            x = F.leaky_relu(layer(x), SLOPE) * math.sqrt(2)
        return x


class StyledConv(nn.Module):
    """A convolution of modulated features, then noise, bias (the convolution's own) and activation."""

    noise: Tensor

    def __init__(self, w_dim: int, conv: nn.Module, in_channels: int, resolution: int) -> None:
        super().__init__()
        self.affine = nn.Linear(w_dim, in_channels)
        self.conv = conv
        self.register_buffer("noise", torch.zeros(resolution, resolution))
        self.gain = 1 / math.sqrt(9 * in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Apply the layer to features (N, C, R, R) under styles (N, w_dim)."""
        style = self.affine(w) * self.gain
        x = self.conv(x * style[:, :, None, None])
        return F.leaky_relu_(x.add_(self.noise), SLOPE)


def separable_conv(in_channels: int, out_channels: int) -> nn.Module:
    """A depthwise 3x3 and a pointwise 1x1 convolution, (N, in_channels, H, W) to (N, out_channels, H, W)."""
    depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
    return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=nn.Conv2d(in_channels, out_channels, 1)))


class Block(nn.Module):
    """Double the resolution, then two separable convolutions; three styles, one for each step."""

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        wide = in_channels // 4
        self.up = nn.Linear(w_dim, in_channels)
        self.conv1 = StyledConv(w_dim, separable_conv(wide, out_channels), wide, resolution)
        self.conv2 = StyledConv(w_dim, separable_conv(out_channels, out_channels), out_channels, resolution)

    def forward(self, x: Tensor, ws: Tensor) -> Tensor:
        """Map (N, in_channels, R/2, R/2) under styles (N, 2, w_dim) to (N, out_channels, R, R)."""
        up_style = self.up(ws[:, 0])
        x = inverse_haar(x * up_style[:, :, None, None])
        x = self.conv1(x, ws[:, 0])
        x = self.conv2(x, ws[:, 1])
        return x  # noqa: RET504 - the assignment gives the module's Any its type


class Head(nn.Module):
    """Predicts the 12 wavelet bands of an RGB image of twice its input's resolution."""

    def __init__(self, w_dim: int, in_channels: int) -> None:
        super().__init__()
        self.affine = nn.Linear(w_dim, in_channels)
        self.conv = nn.Conv2d(in_channels, 12, 1)
        self.gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor, *, low_only: bool = False) -> Tensor:
        """Map (N, C, R, R) under styles (N, w_dim) to RGB (N, 3, 2R, 2R), or to its 2x2 means (N, 3, R, R)."""
        style = self.affine(w) * self.gain
        x = x * style[:, :, None, None]
        if low_only:
            bias = None if self.conv.bias is None else self.conv.bias[:3]
            return 0.5 * F.conv2d(x, self.conv.weight[:3], bias)
        return inverse_haar(self.conv(x))


class Synthesis(nn.Module):
    """From styles in W+ to an image."""

    def __init__(self, w_dim: int, channels: Sequence[int]) -> None:
        super().__init__()
        first = channels[0]
        self.const = nn.Parameter(torch.zeros(first, 4, 4))
        self.conv1 = StyledConv(w_dim, nn.Conv2d(first, first, 3, padding=1), first, 4)
        self.blocks = nn.ModuleList(
            Block(w_dim, before, after, 8 << i) for i, (before, after) in enumerate(pairwise(channels))
        )
        self.to_rgb = Head(w_dim, channels[-1])
        self.resolution = 8 << (len(channels) - 1)
        self.num_ws, self.w_dim = 2 * len(channels), w_dim

    def forward(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Draw (N, num_ws, w_dim) as RGB (N, 3, R, R); see `Generator.synthesis`."""
        if w_plus.ndim != 3 or w_plus.shape[1:] != (self.num_ws, self.w_dim):
            raise ValueError(f"w_plus must be (N, {self.num_ws}, {self.w_dim}), got {tuple(w_plus.shape)}")
        resolution = self.resolution if resolution is None else resolution
        if resolution < 1 or self.resolution % resolution:
            raise ValueError(f"resolution must divide {self.resolution}, got {resolution}")
        shrink = self.resolution // resolution
        x = self.conv1(self.const.expand(len(w_plus), -1, -1, -1), w_plus[:, 0])
        for i, block in enumerate(self.blocks):
            x = block(x, w_plus[:, 2 * i + 1 : 2 * i + 3])
        image = self.to_rgb(x, w_plus[:, -1], low_only=shrink % 2 == 0)
        return F.avg_pool2d(image, shrink // 2) if shrink > 2 else image


class MobileStyleGAN(nn.Module):
    """A generator whose image comes out of one wavelet head (Belousov, arXiv:2104.04767)."""

    latent_avg: Tensor

    def __init__(self, *, name: str, fingerprint: str, w_dim: int = 512, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.name = name
        self.fingerprint = fingerprint
        self.z_dim = self.w_dim = w_dim
        self.mapping = Mapping(w_dim)
        self.synthesis = Synthesis(w_dim, channels)
        self.resolution = self.synthesis.resolution
        self.num_ws = self.synthesis.num_ws
        self.register_buffer("latent_avg", torch.zeros(w_dim))
