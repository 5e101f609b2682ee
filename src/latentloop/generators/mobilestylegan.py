"""MobileStyleGAN in plain PyTorch (Belousov, arXiv:2104.04767), with demodulation folded into the weights.

It differs from StyleGAN2 in three points: convolutions are depthwise-separable, an inverse Haar transform replaces
upsampling, and a single head predicts the wavelet bands of the image. A network distilled from a StyleGAN2 shares its
mapping network, hence its W space.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.generators.affine import Affine, affines_of
from latentloop.generators.arguments import check_code, check_seam, find_resolution
from latentloop.generators.descreen import descreen
from latentloop.generators.haar import inverse_haar
from latentloop.generators.mapping import SLOPE, Mapping
from latentloop.generators.midway import Midway, level_of

DEPTH = 8
"""Layers of the mapping network."""
PERIOD = 8
"""Longest period of the pattern that descreening removes, in pixels: that of the last block but one."""
SHRUNK = 4
"""Images shrunk by this factor or more are not descreened: periods 2 and 4 average out, and 8 is hardly visible."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a MobileStyleGAN; the defaults are the author's for 1024 pixels."""

    w_dim: int = 512
    """Length of a style vector."""
    num_ws: int = 16
    """Number of style inputs."""
    channels: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128, 64)
    """Channels of the constant input, then of each block's output."""
    bands: Literal[3, 12] = 12
    """Wavelet bands that the head predicts: 12 for an image of twice the features' size, or the 3 low ones alone, which
    make an image of the features' size."""

    def __post_init__(self) -> None:
        *widened, last = self.channels  # the Haar transform of a block makes one channel of four
        if self.w_dim < 1 or last < 1 or min(widened, default=4) < 4 or self.num_ws < 2 * len(self.channels):
            raise ValueError(f"sizes that no MobileStyleGAN can have: {self}")


def modulate(x: Tensor, style: Tensor) -> Tensor:
    """Scale the channels of features (N, C, H, W) by a style (N, C)."""
    return x * style[:, :, None, None]


class StyledConv(nn.Module):
    """A modulated convolution with bias, then noise and activation; demodulation is folded into the weights."""

    def __init__(self, w_dim: int, conv: nn.Module, in_channels: int, resolution: int) -> None:
        super().__init__()
        self.affine = nn.Linear(w_dim, in_channels)
        self.conv = conv
        self.noise = nn.Parameter(torch.zeros(resolution, resolution))  # one map for all channels and images
        # Equalised learning rate of a 3 x 3 convolution, 1 / sqrt(fan-in), applied to the style instead of the weights.
        self.gain = 1 / math.sqrt(9 * in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Apply the layer to features (N, C, R, R) under styles (N, w_dim)."""
        return self.convolve(modulate(x, self.style(w)))

    def style(self, w: Tensor) -> Tensor:
        """Map styles (N, w_dim) to channel scales, (N, C)."""
        style: Tensor = self.affine(w) * self.gain
        return style

    def convolve(self, x: Tensor) -> Tensor:
        """Apply convolution, noise and activation to modulated features (N, C, R, R)."""
        # In place on the convolution's fresh output, never on the caller's features.
        return F.leaky_relu_(self.conv(x).add_(self.noise), SLOPE)


def separable_conv(in_channels: int, out_channels: int) -> nn.Module:
    """Build a depthwise 3x3 and a pointwise 1x1 convolution, (N, in_channels, H, W) to (N, out_channels, H, W)."""
    depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
    return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=nn.Conv2d(in_channels, out_channels, 1)))


class Block(nn.Module):
    """A block that doubles the resolution and applies two separable convolutions, with two styles."""

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        wide = in_channels // 4
        self.up = nn.Linear(w_dim, in_channels)
        self.conv1 = StyledConv(w_dim, separable_conv(wide, out_channels), wide, resolution)
        self.conv2 = StyledConv(w_dim, separable_conv(out_channels, out_channels), out_channels, resolution)

    def forward(self, x: Tensor, ws: Tensor) -> Tensor:
        """Map (N, in_channels, R/2, R/2) under styles (N, 2, w_dim) to (N, out_channels, R, R)."""
        x = self.conv1.convolve(inverse_haar(modulate(x, self.scales(ws[:, 0]))))
        x = self.conv2(x, ws[:, 1])
        return x  # noqa: RET504 - the assignment gives the module's Any its type

    def scales(self, w: Tensor) -> Tensor:
        """Compute the channel factors (N, in_channels) of styles (N, w_dim)."""
        # Scaling all four bands of a channel scales the channel, so both modulations and the factor of 1/2 that
        # `inverse_haar` leaves out become one pass over the features.
        scales: Tensor = 0.5 * self.up(w) * self.conv1.style(w).repeat(1, 4)
        return scales


class Head(nn.Module):
    """The last layer, which predicts the wavelet bands of an RGB image, or its low bands alone."""

    def __init__(self, w_dim: int, in_channels: int, *, num_styles: int, bands: int) -> None:
        super().__init__()
        # The sum of one affine map per style equals one affine map of all styles side by side.
        self.affine = nn.Linear(num_styles * w_dim, in_channels)
        self.conv = nn.Conv2d(in_channels, bands, 1)
        self.gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, ws: Tensor, *, low_only: bool) -> Tensor:
        """Map (N, C, R, R) under styles (N, num_styles, w_dim) to RGB (N, 3, 2R, 2R), or its 2x2 means (N, 3, R, R)."""
        x = modulate(x, self.affine(ws.flatten(1)) * self.gain)
        if low_only:
            # The low band of the orthonormal transform is twice the mean of 2 x 2 pixels.
            bias = None if self.conv.bias is None else self.conv.bias[:3]
            return 0.5 * F.conv2d(x, self.conv.weight[:3], bias)
        return inverse_haar(0.5 * self.conv(x))


class Synthesis(nn.Module):
    """The synthesis network of MobileStyleGAN; styles beyond those of the blocks modulate the head."""

    def __init__(self, shape: Shape, *, descreened: bool = False) -> None:
        super().__init__()
        self.descreened = descreened
        self.num_ws, w_dim, channels = shape.num_ws, shape.w_dim, shape.channels
        first = channels[0]
        self.const = nn.Parameter(torch.zeros(first, 4, 4))
        self.conv1 = StyledConv(w_dim, nn.Conv2d(first, first, 3, padding=1), first, 4)
        self.blocks = nn.ModuleList(
            Block(w_dim, before, after, 8 << i) for i, (before, after) in enumerate(pairwise(channels))
        )
        self.w_dim = w_dim
        self.to_rgb = Head(w_dim, channels[-1], num_styles=self.num_ws - 2 * len(self.blocks) - 1, bands=shape.bands)
        # 4 << i pixels after block i - 1: every block doubles the resolution.
        self.seams = {4 << i: (wide, 4 << i, 4 << i) for i, wide in enumerate(channels)}
        """Resolutions after whose last layer synthesis can be interrupted, with the features' shape (C, H, W)."""
        self.features_resolution = 4 << len(self.blocks)
        self.resolution = self.features_resolution * (2 if shape.bands == 12 else 1)

    def forward(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R), about [-1, 1]."""
        return self.finish(self.begin(w_plus, seam=4), w_plus, resolution=resolution)

    def begin(self, w_plus: Tensor, seam: int) -> Midway:
        """Run the layers up to one of the `seams` on styles (N, num_ws, w_dim)."""
        check_code(w_plus, num_ws=self.num_ws, w_dim=self.w_dim)
        check_seam(seam, self.seams)
        x = self.conv1(self.const.expand(w_plus.shape[0], -1, -1, -1), w_plus[:, 0])
        return Midway(seam, self._through(x, w_plus, range(level_of(seam))))

    def scales(self, w_plus: Tensor, seam: int) -> Tensor:
        """Compute the channel factors of the block after a seam, (N, C), from styles (N, num_ws, w_dim)."""
        check_code(w_plus, num_ws=self.num_ws, w_dim=self.w_dim)
        check_seam(seam, list(self.seams)[:-1])
        level = level_of(seam)
        return cast("Block", self.blocks[level]).scales(w_plus[:, 2 * level + 1])

    def finish(self, midway: Midway, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Run the remaining layers on styles (N, num_ws, w_dim), to RGB (N, 3, R, R)."""
        check_code(w_plus, num_ws=self.num_ws, w_dim=self.w_dim)
        resolution = find_resolution(resolution, self.resolution)
        x = self._through(midway.features, w_plus, range(level_of(midway.seam), len(self.blocks)))
        ws = w_plus[:, 2 * len(self.blocks) + 1 :]
        descreened = self.descreened and resolution > self.resolution // SHRUNK
        image = self.to_rgb(x, ws, low_only=resolution <= self.features_resolution and not descreened)
        if descreened:
            image = descreen(image, period=PERIOD)
        # The image has the full size, or that of the features if its low bands were enough.
        shrink = image.shape[-1] // resolution
        return F.avg_pool2d(image, shrink) if shrink > 1 else image

    def _through(self, x: Tensor, w_plus: Tensor, blocks: range) -> Tensor:
        """Features (N, C, H, W) after the given blocks."""
        # w_plus[:, 0] belongs to the layer at 4 pixels, then each block has two styles.
        for i in blocks:
            x = self.blocks[i](x, w_plus[:, 2 * i + 1 : 2 * i + 3])
        return x


class MobileStyleGAN(nn.Module):
    """MobileStyleGAN, a light-weight generator for StyleGAN2's W space (Belousov, arXiv:2104.04767)."""

    latent_avg: Tensor

    def __init__(self, shape: Shape = Shape(), *, name: str, fingerprint: str, descreened: bool = False) -> None:
        """Build the network with PyTorch's default initialisation.

        Args:
            shape: Sizes of the network.
            name: Name of the generator.
            fingerprint: Fingerprint of its latent space.
            descreened: Remove the pattern of periods 2, 4 and 8 from images larger than a quarter of the full size.
        """
        super().__init__()
        self.shape = shape
        self.name = name
        self.fingerprint = fingerprint
        self.z_dim = self.w_dim = shape.w_dim
        self.c_dim = 0
        self.mapping = Mapping([shape.w_dim] * (DEPTH + 1))
        self.synthesis = Synthesis(shape, descreened=descreened)
        self.resolution = self.synthesis.resolution
        self.num_ws = shape.num_ws
        self.register_buffer("latent_avg", torch.zeros(shape.w_dim))

    @property
    def device(self) -> torch.device:
        """Device of the generator's weights."""
        return self.latent_avg.device

    def affines(self) -> list[list[Affine]]:
        """Return the affine maps of each style, coarsest first; the head's bias is split evenly among its styles."""
        synthesis, maps = self.synthesis, [affines_of([self.synthesis.conv1.affine])]
        for block in cast("list[Block]", list(synthesis.blocks)):
            maps += [affines_of([block.up, block.conv1.affine]), affines_of([block.conv2.affine])]
        (head,) = affines_of([synthesis.to_rgb.affine])
        parts = head.weight.split(self.w_dim, dim=1)
        return [*maps, *([Affine(part, head.bias / len(parts))] for part in parts)]
