"""A network that predicts, from what a code's image lacks, a change of the generator's features that adds it."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.generators import Midway, Scaled
from latentloop.images import resample

LOOKS = 2
"""Times that the network sees what its last change draws. A third time brings little."""
LARGEST_FEATURE, LARGEST_GAIN = 8.0, 4.0
"""Bounds of two inputs, in units of their root mean square: single channels exceed it tenfold."""
ERROR_SCALE = 3.0
"""Factor that gives image errors about the spread of the other inputs."""


@dataclass(frozen=True)
class FeatureEncoderConfig:
    """Sizes of a feature encoder; the defaults are those of the bundled one."""

    seam: int = 64
    """Resolution whose features are changed, a key of `Seamed.seams`."""
    channels: int = 512
    """Channels of these features."""
    pixels: int = 4
    """Side of the square of image pixels that one position of the features sees."""
    styles: int = 7
    """Number of styles of the layers after the seam."""
    w_dim: int = 512
    """Length of a style."""
    width: int = 192
    """Channels of the encoder."""
    depth: int = 3
    """Number of residual blocks."""

    @property
    def resolution(self) -> int:
        """Side of the images that are compared, in pixels."""
        return self.seam * self.pixels


class ResidualBlock(nn.Module):
    """A residual block: depthwise 7 x 7, then two pointwise layers (ConvNeXt: Liu et al., arXiv:2201.03545)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.narrow = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, width, H, W) to features of the same shape."""
        inner: Tensor = self.narrow(F.gelu(self.widen(self.norm(self.depthwise(x)))))
        return x + inner


class Sight(NamedTuple):
    """The conditions of a code that a feature encoder sees, whatever the change of its features."""

    spread: Tensor
    """Standard deviation of each channel, (N, C, 1, 1): the unit of a change."""
    seen: Tensor
    """Factors that turn features into those that the next layer convolves, of unit mean square, (N, C, 1, 1)."""
    gain: Tensor
    """How much a unit change of a channel changes what the next layer convolves, of unit mean square, (N, C, 1, 1)."""
    styles: Tensor
    """Styles of the remaining layers, (N, styles x w_dim), in standard deviations of W around the mean latent."""


class FeatureEncoder(nn.Module):
    """Predicts a change of features that brings the image of a code closer to a photo.

    The idea is the Feature-Style Encoder's (Yao et al., arXiv:2202.02183), which predicts features from the photo
    alone. This network sees the difference to the image that the code draws, as in HFGI (Wang et al.,
    arXiv:2109.06590), so that it can look again at what its own change leaves. It is convolutional: what a place needs
    follows from the error there, the features, and the styles of the layers that draw them.
    """

    latent_avg: Tensor
    w_std: Tensor

    def __init__(self, config: FeatureEncoderConfig, *, weights: str, sha256: str | None = None) -> None:
        """Build the network with random weights; it predicts no change until it is trained.

        Args:
            config: Sizes.
            weights: Fingerprint of the generator's synthesis weights, see `weights_fingerprint`.
            sha256: SHA-256 of the file that the network was read from, in hexadecimal.
        """
        super().__init__()
        self.config, self.weights, self.sha256 = config, weights, sha256
        seen = 3 * config.pixels**2  # numbers of an image at each position
        self.stem = nn.Conv2d(2 * seen + config.channels, config.width, 1)
        self.error_stem = nn.Conv2d(seen, config.width, 3, padding=1)
        self.styles = nn.Linear(config.styles * config.w_dim, 32)
        self.modulation = nn.Linear(32, 2 * config.width)
        self.blocks = nn.ModuleList(ResidualBlock(config.width) for _ in range(config.depth))
        self.norm = nn.GroupNorm(1, config.width)
        self.out = nn.Conv2d(config.width, config.channels, 1)
        for parameter in (*self.out.parameters(), *self.modulation.parameters()):
            nn.init.zeros_(parameter)
        self.register_buffer("latent_avg", torch.zeros(config.w_dim))
        self.register_buffer("w_std", torch.ones(()))

    def forward(self, target: Tensor, drawn: Tensor, features: Tensor, sight: Sight) -> Tensor:
        """Predict how to change features further.

        Args:
            target: Photos (N, 3, R, R) in [-1, 1] with R of `config.resolution`, or parts of them.
            drawn: What the features draw, of the same shape.
            features: Features as they are now, (N, C, H, W), of the same part.
            sight: What is known of the codes.

        Returns:
            The change, (N, C, H, W), in units of `sight.spread`.
        """
        error = ERROR_SCALE * F.pixel_unshuffle(target - drawn, self.config.pixels)
        convolved = (features * sight.seen).clamp(-LARGEST_FEATURE, LARGEST_FEATURE)
        x = self.stem(torch.cat([error, F.pixel_unshuffle(drawn, self.config.pixels), convolved], dim=1))
        x = x + self.error_stem(error)
        scale, shift = self.modulation(self.styles(sight.styles))[:, :, None, None].chunk(2, dim=1)
        x = x * (1 + scale) + shift
        for block in self.blocks:
            x = block(x)
        change: Tensor = self.out(self.norm(x)) * sight.gain
        return change

    def sight(self, synthesis: Scaled, w_plus: Tensor, features: Tensor) -> Sight:
        """Compute what the network needs to know of codes (N, num_ws, w_dim) with features (N, C, H, W)."""
        spread = features.std(dim=(2, 3), keepdim=True)
        scales = synthesis.scales(w_plus, self.config.seam)[:, :, None, None]
        # Scaled by the generator's styles with their signs: a channel that is drawn strongly has to change less.
        gain = spread * scales
        gain = gain / gain.square().mean(dim=1, keepdim=True).sqrt()
        seen = scales / (features * scales).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        styles = (w_plus[:, -self.config.styles :] - self.latent_avg) / self.w_std
        return Sight(spread, seen, gain.clamp(-LARGEST_GAIN, LARGEST_GAIN), styles.flatten(1))

    def change(self, synthesis: Scaled, target: Tensor, w_plus: Tensor, midway: Midway) -> Tensor:
        """Predict the change of features of codes, in several looks.

        Args:
            synthesis: Synthesis network of the generator that the encoder was trained for.
            target: Photos (N, 3, S, S) in [-1, 1].
            w_plus: Their codes, (N, num_ws, w_dim).
            midway: The codes' state at the seam.

        Returns:
            The change, (N, C, H, W), in standard deviations of each channel.
        """
        size = self.config.resolution
        target, sight = resample(target, size), self.sight(synthesis, w_plus, midway.features)
        features, change = midway.features, torch.zeros_like(midway.features)
        for _ in range(LOOKS):
            drawn = synthesis.finish(replace(midway, features=features), w_plus, resolution=size)
            change = change + self(target, drawn, features, sight)
            features = midway.features + sight.spread * change
        return change
