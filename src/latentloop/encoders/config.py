"""Settings of the embedding network; kept apart so that reading them needs no PyTorch."""

from dataclasses import dataclass
from typing import Literal, get_args

Preset = Literal["small", "paper"]
"""Names of `PRESETS`."""
Identity = Literal["mobilefacenet", "none"]
"""Face-recognition networks that can guide the embedding network."""
Head = Literal["tree", "dense"]
"""Last layers of the embedding network: TreeConnect, or a fully connected one."""


@dataclass(frozen=True)
class EmbedderConfig:
    """How large the embedding network is, and of what parts."""

    resolution: int = 256
    """Pixels of the images that it takes."""
    channels: tuple[int, ...] = (32, 64, 128, 192, 256)
    """Of the attribute encoder, each at half the resolution of the one before."""
    depths: tuple[int, ...] = (1, 1, 2, 2, 1)
    """Blocks at each of them; the first is one convolution."""
    fusion_blocks: int = 2
    """Where identity meets attributes."""
    identity: Identity = "mobilefacenet"
    """Face-recognition network that guides it; none for other domains, and for the single-encoder ablation."""
    frozen_identity: bool = True
    """Leave that network as it is."""
    head: Head = "tree"
    """From features to all styles: TreeConnect, or a fully connected layer."""
    head_channels: int = 128
    """Of the features that the head sees."""

    def __post_init__(self) -> None:
        for name, known in (("identity", get_args(Identity)), ("head", get_args(Head))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)}")
        if not self.channels or len(self.channels) != len(self.depths):
            raise ValueError(f"channels and depths must go together, got {self.channels} and {self.depths}")
        if min(*self.channels, *self.depths, self.head_channels) < 1 or self.fusion_blocks < 0:
            raise ValueError("channels, depths and head_channels must be 1 or more, fusion_blocks 0 or more")
        if self.resolution < 1 or self.resolution % (1 << len(self.channels)):
            halvings = len(self.channels)
            raise ValueError(f"resolution must be a multiple of {1 << halvings} for {halvings} halvings")

    @property
    def grid(self) -> int:
        """Rows, and columns, of the features that the head sees."""
        return self.resolution >> len(self.channels)


PRESETS: dict[Preset, EmbedderConfig] = {
    "small": EmbedderConfig(),
    "paper": EmbedderConfig(channels=(64, 128, 256, 512, 512), depths=(1, 3, 4, 3, 1), fusion_blocks=3),
}
"""paper: an attribute encoder of the size of ResNet-50, 23 million parameters."""
