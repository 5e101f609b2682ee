"""The second look of an embedding network: at a photo and its reconstruction (after ReStyle, arXiv:2104.02699)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from latentloop.encoders.shallow import make_projections


class Look(NamedTuple):
    """Result of the first look at N photos: codes and their images."""

    w_plus: Tensor
    """Codes of the photos, (N, num_ws, w_dim)."""
    image: Tensor
    """Images of the codes, (N, 3, R, R) in [-1, 1], at the network's resolution."""


class SecondLook(nn.Module):
    """The parts of an embedding network for its second look: inputs for the remaining error, and a head.

    The trunk is shared with the first look. The remaining error enters it as the difference between photo and first
    reconstruction: of pixels at the first stage, and of a classifier's maps at two later ones.
    """

    def __init__(self, first_channels: int, map_channels: Sequence[int], head: nn.Module) -> None:
        """Build a second look that leaves codes unchanged at first.

        Args:
            first_channels: Channels of the trunk's first stage.
            map_channels: Channels of the stages to which differences of maps are added; empty for a trunk without maps.
            head: Layers from the trunk's features to the change of the code; their last weights are set to 0.
        """
        super().__init__()
        self.stem = nn.Conv2d(3, first_channels, 3, stride=2, padding=1, bias=False)
        self.project = make_projections(map_channels) if map_channels else nn.ModuleList()
        self.head = head
        with torch.no_grad():
            # All but TreeConnect's first weights: if those were 0, too, no gradient would reach anything.
            for name, weight in head.named_parameters():
                if name != "within_rows" and not weight.is_meta:
                    weight.zero_()

    def forward(self, pixels: Tensor, maps: Sequence[Tensor]) -> list[Tensor]:
        """Map differences of pixels (N, 3, R, R) and of maps to the maps that are added to the trunk's stages."""
        return [self.stem(pixels), *(project(one) for project, one in zip(self.project, maps, strict=True))]
