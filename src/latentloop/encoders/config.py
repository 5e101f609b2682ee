"""Settings of the embedding network; kept apart so that reading them needs no PyTorch."""

from dataclasses import dataclass
from typing import Literal, get_args

Preset = Literal["base", "small", "paper"]
"""Names of the sizes in `PRESETS`."""
Identity = Literal["mobilefacenet", "none"]
"""Face-recognition networks that can guide the embedding network."""
Maps = Literal["alexnet", "none"]
"""Classifiers whose maps are added to those of the embedding network."""
Head = Literal["tree", "dense"]
"""Last layers of the embedding network: TreeConnect, or a fully connected one."""


@dataclass(frozen=True)
class EmbedderConfig:
    """Size and parts of the embedding network."""

    resolution: int = 256
    """Pixels of a side of the images that the network takes."""
    channels: tuple[int, ...] = (32, 64, 128, 192, 256)
    """Channels of the attribute encoder, each at half the resolution of the one before."""
    depths: tuple[int, ...] = (1, 1, 2, 2, 1)
    """Blocks of the attribute encoder at each resolution; the first is one convolution."""
    fusion_blocks: int = 2
    """Number of blocks that fuse identity and attributes."""
    identity: Identity = "mobilefacenet"
    """Face-recognition network that guides the embedding; none for other domains and the single-encoder ablation."""
    frozen_identity: bool = True
    """Keep the face-recognition network as it is."""
    head: Head = "tree"
    """Last layer, from features to all styles: TreeConnect, or a fully connected one."""
    head_channels: int = 128
    """Channels of the features that the head takes of the last stage."""
    maps: Maps = "none"
    """Classifier whose maps are added to the attribute encoder's at the two stages before the last."""
    tap_channels: int = 0
    """Channels that the head takes of each of the two stages before the last; 0 for the last stage alone."""
    second_look: bool = False
    """Can look again, at the photo and at what its first code draws, and improve the code."""

    def __post_init__(self) -> None:
        for name, known in (("identity", get_args(Identity)), ("head", get_args(Head)), ("maps", get_args(Maps))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)}")
        if not self.channels or len(self.channels) != len(self.depths):
            raise ValueError(f"channels and depths must go together, got {self.channels} and {self.depths}")
        if min(*self.channels, *self.depths, self.head_channels) < 1 or self.fusion_blocks < 0:
            raise ValueError("channels, depths and head_channels must be 1 or more, fusion_blocks 0 or more")
        if self.tap_channels < 0:
            raise ValueError(f"tap_channels must be 0 or more, got {self.tap_channels}")
        if (self.tap_channels or self.maps != "none") and len(self.channels) < 3:
            raise ValueError(f"maps and taps need 3 stages or more, got {len(self.channels)}")
        if self.resolution < 1 or self.resolution % (1 << len(self.channels)):
            halvings = len(self.channels)
            raise ValueError(f"resolution must be a multiple of {1 << halvings} for {halvings} halvings")

    @property
    def shallow(self) -> tuple[int, ...]:
        """Numbers, from 0, of the two stages before the last, the one of higher resolution first."""
        return tuple(range(len(self.channels)))[-3:-1]

    @property
    def grid(self) -> int:
        """Rows and columns of the features that the head takes."""
        return self.resolution >> len(self.channels)


PRESETS: dict[Preset, EmbedderConfig] = {
    "base": EmbedderConfig(depths=(1, 1, 2, 3, 1), maps="alexnet", tap_channels=64),
    "small": EmbedderConfig(),
    "paper": EmbedderConfig(channels=(64, 128, 256, 512, 512), depths=(1, 3, 4, 3, 1), fusion_blocks=3),
}
"""Sizes of the embedding network: "base" is a little deeper, and sees through AlexNet and finer grids, too; "small"
does without; "paper" has an attribute encoder of the size of ResNet-50, 23 million weights."""
