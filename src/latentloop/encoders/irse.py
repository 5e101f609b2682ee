"""IR-SE50, the trunk of pSp, e4e and ReStyle: ArcFace's residual network (Deng et al., arXiv:1801.07698).

Its blocks scale their channels by squeeze and excitation (Hu et al., arXiv:1709.01507).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

Stages = Sequence[tuple[int, int]]
"""Channels and blocks of each stage."""
STAGES: Stages = ((64, 3), (128, 4), (256, 14), (512, 3))
"""Stages of IR-SE50: 24 blocks of two convolutions."""
REDUCTION = 16
"""Ratio of channels to hidden units in squeeze and excitation."""


class SqueezeExcitation(nn.Module):
    """Squeeze and excitation: scales each channel by a learned function of all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = channels // REDUCTION
        self.fc1 = nn.Conv2d(channels, hidden, 1, bias=False)
        self.fc2 = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, C, H, W) to features of the same shape."""
        means = x.mean(dim=(2, 3), keepdim=True)
        scale: Tensor = self.fc2(F.relu(self.fc1(means))).sigmoid()
        return x * scale


class Bottleneck(nn.Module):
    """A residual block of two convolutions, of which the second has the stride."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)  # a window of 1: takes every stride-th pixel
        if in_channels != channels:
            conv = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
            self.shortcut_layer = nn.Sequential(conv, nn.BatchNorm2d(channels))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, channels, 3, padding=1, bias=False),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            SqueezeExcitation(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / stride, W / stride)."""
        out: Tensor = self.shortcut_layer(x) + self.res_layer(x)
        return out


class IRSE50(nn.Module):
    """The IR-SE50 trunk, from an image to features at four resolutions."""

    def __init__(self, in_channels: int = 3, *, stages: Stages = STAGES) -> None:
        """Build the trunk with random weights.

        Args:
            in_channels: 3 for one image, 6 for two images side by side (ReStyle).
            stages: Channels and blocks of each stage.
        """
        super().__init__()
        self.in_channels = in_channels
        self.channels = tuple(channels for channels, _ in stages)
        first = self.channels[0]
        conv = nn.Conv2d(in_channels, first, 3, padding=1, bias=False)
        self.input_layer = nn.Sequential(conv, nn.BatchNorm2d(first), nn.PReLU(first))
        self.body = nn.ModuleList()
        for before, (channels, blocks) in zip((first, *self.channels), stages, strict=False):
            self.body.append(Bottleneck(before, channels, stride=2))
            self.body.extend(Bottleneck(channels, channels, stride=1) for _ in range(blocks - 1))
        # For IR-SE50 the stages end after blocks 2, 6, 20 and 23; the last three are pSp's feature maps.
        ends = [sum(blocks for _, blocks in stages[:i]) for i in range(len(stages) + 1)]
        self.stages = tuple(pairwise(ends))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map images (N, in_channels, R, R) in [-1, 1] to the features of each stage.

        The first are (N, channels[0], R / 2, R / 2); each further stage halves the resolution.
        """
        x, features = self.input_layer(image), []
        for begin, end in self.stages:
            for block in self.body[begin:end]:
                x = block(x)
            features.append(x)
        return tuple(features)
