"""Settings of the embedding network; a module of its own, so that reading them needs no PyTorch."""

from dataclasses import dataclass
from typing import Literal, get_args

Preset = Literal["base", "small", "paper"]
"""Names of the sizes in `PRESETS`."""
Identity = Literal["mobilefacenet", "none"]
"""Face-recognition networks that can guide the embedding network."""
Maps = Literal["alexnet", "none"]
"""Classifiers whose feature maps can be added to those of the embedding network."""
Head = Literal["tree", "dense"]
"""Last layers of the embedding network: TreeConnect, or a fully connected one."""


@dataclass(frozen=True)
class EmbedderConfig:
    """Size and parts of the embedding network."""

    resolution: int = 256
    """Side of the input images, in pixels."""
    channels: tuple[int, ...] = (32, 64, 128, 192, 256)
    """Channels of the attribute encoder's stages, each at half the resolution of the one before."""
    depths: tuple[int, ...] = (1, 1, 2, 2, 1)
    """Blocks in each stage of the attribute encoder; the first stage is one convolution."""
    fusion_blocks: int = 2
    """Number of blocks that fuse identity and attributes."""
    identity: Identity = "mobilefacenet"
    """Face-recognition network that guides the embedding; none for other domains and the single-encoder ablation."""
    frozen_identity: bool = True
    """Do not train the face-recognition network."""
    head: Head = "tree"
    """Last layer, from features to all styles. tree: TreeConnect. dense: a fully connected layer."""
    head_channels: int = 128
    """Channels of the last stage's features that enter the head."""
    maps: Maps = "none"
    """Classifier whose feature maps are added to the attribute encoder's at the two stages before the last."""
    tap_channels: int = 0
    """Channels that enter the head from each of the two stages before the last; 0 for none."""
    second_look: bool = False
    """Add a second look, which compares the photo with the reconstruction of its first code and improves the code."""

    def __post_init__(self) -> None:
        for name, known in (("identity", get_args(Identity)), ("head", get_args(Head)), ("maps", get_args(Maps))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)}")
        if not self.channels or len(self.channels) != len(self.depths):
            raise ValueError(f"channels and depths must be of one length, got {self.channels} and {self.depths}")
        if min(*self.channels, *self.depths, self.head_channels) < 1 or self.fusion_blocks < 0:
            raise ValueError("channels, depths and head_channels must be 1 or more, fusion_blocks 0 or more")
        if self.tap_channels < 0:
            raise ValueError(f"tap_channels must be 0 or more, got {self.tap_channels}")
        if (self.tap_channels or self.maps != "none") and len(self.channels) < 3:
            raise ValueError(f"maps and tap_channels need at least 3 stages, got {len(self.channels)}")
        if self.resolution < 1 or self.resolution % (1 << len(self.channels)):
            halvings = len(self.channels)
            raise ValueError(f"resolution must be a multiple of {1 << halvings} for {halvings} stages")

    @property
    def shallow(self) -> tuple[int, ...]:
        """Numbers of the two stages before the last, counted from 0, the one of higher resolution first."""
        return tuple(range(len(self.channels)))[-3:-1]  # features of 32 and 16 pixels for images of 256

    @property
    def grid(self) -> int:
        """Side of the last stage's features, which enter the head."""
        return self.resolution >> len(self.channels)


# Weights without the identity encoder: 5.3 million in "small", 7.2 in "base" (9.5 with a second look); docs/method.md.
PRESETS: dict[Preset, EmbedderConfig] = {
    "base": EmbedderConfig(depths=(1, 1, 2, 3, 1), maps="alexnet", tap_channels=64),
    "small": EmbedderConfig(),
    "paper": EmbedderConfig(channels=(64, 128, 256, 512, 512), depths=(1, 3, 4, 3, 1), fusion_blocks=3),
}
"""Sizes of the embedding network. "base" is slightly deeper than "small" and adds AlexNet's maps and taps of finer
stages; "paper" has an attribute encoder of 23 million weights, as many as ResNet-50."""
