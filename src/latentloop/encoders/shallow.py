"""Finer detail for the embedding network: a classifier's maps, added to the trunk, and taps of its shallow stages."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.encoders.attribute import SLOPE, normalisation
from latentloop.features.lpips import STAGES, Lpips

LAYERS = ((1,), (2, 4))
"""Layers of AlexNet, counted from 0, whose maps are added at four times and at twice the resolution of the last
features; their strides are 8 and 16 pixels."""
READ = LAYERS[-1][-1] + 1
"""Number of AlexNet's layers that are computed."""


class ClassifierMaps(nn.Module):
    """Maps of AlexNet, normalised as in LPIPS, projected to the channels of two stages of a trunk.

    The classifier was trained on photos of all kinds and is frozen, so its maps are useful in any domain.
    """

    def __init__(self, network: Lpips, channels: Sequence[int]) -> None:
        """Build the projections around a frozen classifier.

        Args:
            network: LPIPS on AlexNet.
            channels: Channels of the two stages to which the maps are added, the one of higher resolution first.
        """
        super().__init__()
        self.network = network.requires_grad_(False)
        self.project = make_projections(channels)

    @torch.no_grad()
    def see(self, image: Tensor, grids: Sequence[int]) -> list[Tensor]:
        """Compute the classifier's maps of images (N, 3, R, R) in [-1, 1], resized to the sides in `grids`."""
        maps = list(self.network.features(image))[:READ]  # unit length over channels at each position, as in LPIPS
        return [
            torch.cat([_fitted(maps[layer], grid) for layer in layers], dim=1)
            for layers, grid in zip(LAYERS, grids, strict=True)
        ]

    def forward(self, seen: Sequence[Tensor]) -> list[Tensor]:
        """Project the maps that `see` returned to the channels of the two stages."""
        return [project(maps) for project, maps in zip(self.project, seen, strict=True)]


def make_projections(channels: Sequence[int]) -> nn.ModuleList:
    """Make the 1x1 convolutions that project the classifier's maps to the channels of two stages."""
    widths = STAGES["alex"][1]
    return nn.ModuleList(
        nn.Conv2d(sum(widths[layer] for layer in layers), width, 1)
        for layers, width in zip(LAYERS, channels, strict=True)
    )


class Tap(nn.Module):
    """A skip connection from a finer stage of the trunk to the head, past all later stages.

    It preserves detail that later stages would average away: 2 x 2 neighbours become four sets of channels.
    """

    def __init__(self, in_channels: int, out_channels: int, grid: int) -> None:
        """Build a tap with random weights.

        Args:
            in_channels: Channels of the stage.
            out_channels: Channels of the output.
            grid: Side of the output.
        """
        super().__init__()
        self.grid = grid
        self.norm = normalisation(in_channels)
        self.squeeze = nn.Conv2d(in_channels, out_channels, 1)
        self.mix = nn.Conv2d(4 * out_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, in_channels, H, H), H a multiple of 2 grid, to (N, out_channels, grid, grid)."""
        x = F.leaky_relu(self.squeeze(F.leaky_relu(self.norm(x), SLOPE)), SLOPE)
        x = F.avg_pool2d(x, x.shape[-1] // (2 * self.grid))  # to twice the output's side
        out: Tensor = self.mix(F.pixel_unshuffle(x, 2))
        return out


def _fitted(unit: Tensor, grid: int) -> Tensor:
    """Unit-length maps, resized to a grid and scaled so that their numbers are about 1."""
    size = math.sqrt(unit.shape[1])
    return F.interpolate(unit, size=(grid, grid), mode="bilinear", align_corners=False) * size
