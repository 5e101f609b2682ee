"""A second look: at a photo, and at what the code that was found of it draws, as ReStyle does (arXiv:2104.02699)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from latentloop.encoders.shallow import make_projections


class Look(NamedTuple):
    """What came of a look at N photos."""

    w_plus: Tensor
    """Codes, (N, num_ws, w_dim)."""
    image: Tensor
    """What the generator draws of them, (N, 3, R, R) in [-1, 1], at the network's resolution."""


class SecondLook(nn.Module):
    """What an embedding network has for its second look: ways in for what is wrong yet, and a head of its own.

    The trunk is that of the first look. What is wrong enters it as the difference between the photo and what was drawn,
    in pixels at its first stage, and in a classifier's maps at two later ones.
    """

    def __init__(self, first_channels: int, map_channels: Sequence[int], head: nn.Module) -> None:
        """Make a fresh one, which changes no code yet.

        Args:
            first_channels: Channels of the trunk's first stage.
            map_channels: Channels of the stages that differences of maps are added to; empty for a trunk without maps.
            head: From the trunk's features to changes of the code; its last weights are set to 0.
        """
        super().__init__()
        self.stem = nn.Conv2d(3, first_channels, 3, stride=2, padding=1, bias=False)
        self.project = make_projections(map_channels) if map_channels else nn.ModuleList()
        self.head = head
        with torch.no_grad():
            for name, weight in head.named_parameters():
                if name != "within_rows" and not weight.is_meta:
                    weight.zero_()

    def forward(self, pixels: Tensor, maps: Sequence[Tensor]) -> list[Tensor]:
        """Map differences (N, 3, R, R), and those of maps, to what is added to the first stage, then to later ones."""
        return [self.stem(pixels), *(project(one) for project, one in zip(self.project, maps, strict=True))]
