"""What a trunk's last features have lost: maps of a classifier that are added to it, and taps of its shallow stages."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.encoders.attribute import SLOPE, normalisation
from latentloop.features.lpips import STAGES, Lpips

LAYERS = ((1,), (2, 4))
"""Layers of AlexNet, counted from 0, whose maps are added at four times and at twice the resolution of the last
features: those of eight and of sixteen pixels a step."""
READ = LAYERS[-1][-1] + 1


class ClassifierMaps(nn.Module):
    """Maps of AlexNet, as LPIPS reads them, projected to the channels of two stages of a trunk.

    The classifier is pretrained on photos of all kinds and stays as it is; its maps serve any domain.
    """

    def __init__(self, network: Lpips, channels: Sequence[int]) -> None:
        """Wrap a network.

        Args:
            network: LPIPS on AlexNet.
            channels: Channels of the two stages that the maps are added to, the one of higher resolution first.
        """
        super().__init__()
        self.network = network.requires_grad_(False)
        self.project = make_projections(channels)

    @torch.no_grad()
    def see(self, image: Tensor, grids: Sequence[int]) -> list[Tensor]:
        """Map images (N, 3, R, R) in [-1, 1] to the classifier's maps on `grids` of so many rows and columns."""
        maps = list(self.network.features(image))[:READ]
        return [
            torch.cat([_fitted(maps[layer], grid) for layer in layers], dim=1)
            for layers, grid in zip(LAYERS, grids, strict=True)
        ]

    def forward(self, seen: Sequence[Tensor]) -> list[Tensor]:
        """Map what `see` returned to what is added to the two stages."""
        return [project(maps) for project, maps in zip(self.project, seen, strict=True)]


def make_projections(channels: Sequence[int]) -> nn.ModuleList:
    """Make layers that map the classifier's maps to the channels of two stages."""
    widths = STAGES["alex"][1]
    return nn.ModuleList(
        nn.Conv2d(sum(widths[layer] for layer in layers), width, 1)
        for layers, width in zip(LAYERS, channels, strict=True)
    )


class Tap(nn.Module):
    """A way from a stage of a trunk, of two or four times the resolution, past all later stages.

    It keeps places apart that the later stages average: four neighbours become four sets of channels.
    """

    def __init__(self, in_channels: int, out_channels: int, grid: int) -> None:
        """Make a fresh one.

        Args:
            in_channels: Channels of the stage.
            out_channels: Channels of what comes out.
            grid: Rows and columns of what comes out.
        """
        super().__init__()
        self.grid = grid
        self.norm = normalisation(in_channels)
        self.squeeze = nn.Conv2d(in_channels, out_channels, 1)
        self.mix = nn.Conv2d(4 * out_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, grid, grid), H a multiple of 2 grid."""
        x = F.leaky_relu(self.squeeze(F.leaky_relu(self.norm(x), SLOPE)), SLOPE)
        x = F.avg_pool2d(x, x.shape[-1] // (2 * self.grid))
        out: Tensor = self.mix(F.pixel_unshuffle(x, 2))
        return out


def _fitted(unit: Tensor, grid: int) -> Tensor:
    """Unit-length maps on another grid, their numbers about 1 in size."""
    size = math.sqrt(unit.shape[1])
    return F.interpolate(unit, size=(grid, grid), mode="bilinear", align_corners=False) * size
