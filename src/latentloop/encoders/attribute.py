"""The attribute encoder, whose feature maps keep pose, expression, light, hair and background."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
"""Negative slope of the leaky ReLUs of the embedding network."""


def normalisation(channels: int, *, affine: bool = True) -> nn.Module:
    """Make a group normalisation with about 16 channels per group, which treats each image of a batch by itself."""
    # The most groups of 16 channels or more that divide the channels evenly.
    groups = max(g for g in range(1, max(2, channels // 16 + 1)) if channels % g == 0)
    return nn.GroupNorm(groups, channels, affine=affine)


class ResidualBlock(nn.Module):
    """A pre-activation residual block: normalisation, activation, convolution, twice (He et al., arXiv:1603.05027)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.norm1 = normalisation(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm2 = normalisation(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        # Average pooling, since a strided 1x1 convolution would ignore three of four pixels.
        shrink = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        same = in_channels == out_channels
        self.skip = shrink if same else nn.Sequential(shrink, nn.Conv2d(in_channels, out_channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        y = self.conv1(F.leaky_relu(self.norm1(x), SLOPE))
        y = self.conv2(F.leaky_relu(self.norm2(y), SLOPE))
        out: Tensor = self.skip(x) + y
        return out


class AttributeEncoder(nn.Module):
    """The attribute encoder: a residual network that is trained from scratch."""

    def __init__(self, channels: Sequence[int], depths: Sequence[int]) -> None:
        """Build the stages with random weights.

        Args:
            channels: Channels at a half of the image's resolution, at a quarter, and so on.
            depths: Blocks at each resolution; the first stage is a single convolution, whatever its depth.
        """
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, channels[0], 3, stride=2, padding=1)]
        for before, after, depth in zip(channels, channels[1:], depths[1:], strict=False):
            layers += [ResidualBlock(before, after, stride=2)]
            layers += [ResidualBlock(after, after, stride=1) for _ in range(depth - 1)]
        self.layers = nn.Sequential(*layers)
        self._ends = tuple(accumulate((1, *depths[1:])))  # number of layers up to the end of each stage

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, 3, R, R) in [-1, 1] to features (N, channels[-1], S, S) with S = R / 2^len(channels)."""
        return self.stages(image, {})[-1]

    def stages(self, image: Tensor, added: Mapping[int, Tensor]) -> list[Tensor]:
        """Compute the features of all stages.

        Args:
            image: Images (N, 3, R, R) in [-1, 1].
            added: Maps to add to a stage's features, of their shape, by the stage's number from 0.

        Returns:
            Features of stage i, (N, channels[i], S, S) with S = R / 2^(i + 1).
        """
        x, found = image, list[Tensor]()
        for stage, (first, end) in enumerate(pairwise((0, *self._ends))):
            x = self.layers[first:end](x)
            x = x + added[stage] if stage in added else x
            found.append(x)
        return found
