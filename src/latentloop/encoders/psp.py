"""The encoders of pSp (arXiv:2008.00951), e4e (arXiv:2102.02766) and ReStyle (arXiv:2104.02699).

They share a trunk, and differ in the features that their heads take and in the code to which the output is added.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.encoders.irse import IRSE50
from latentloop.generators import Generator
from latentloop.latents import broadcast

MIDDLE, FINE = 3, 7
"""Numbers of the first heads on the middle and on the fine features of the pyramid: heads 0 to 2 are coarse."""
POOLED = 7
"""Side to which `LastLayerIntoWPlus` pools the features."""


class StyleHead(nn.Module):
    """The head of one style: strided convolutions down to one pixel, then a fully connected layer."""

    def __init__(self, in_channels: int, w_dim: int, size: int) -> None:
        """Build the head with random weights.

        Args:
            in_channels: Channels of the features.
            w_dim: Length of the style.
            size: Side of the features; a power of two, at least 2.
        """
        super().__init__()
        self.convs = nn.Sequential()
        for i in range(size.bit_length() - 1):
            self.convs.append(nn.Conv2d(w_dim if i else in_channels, w_dim, 3, stride=2, padding=1))
            self.convs.append(nn.LeakyReLU(0.01))
        self.linear = nn.Linear(w_dim, w_dim)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, in_channels, size, size) to (N, w_dim)."""
        style: Tensor = self.linear(self.convs(features).flatten(1))
        return style


class StyleHeads(nn.Module):
    """Output heads, one per style, on a feature pyramid (pSp, e4e) or on the last features (ReStyle)."""

    def __init__(
        self, channels: tuple[int, ...], *, w_dim: int, num_ws: int, size: int, pyramid: bool, progressive: bool
    ) -> None:
        """Build the heads with random weights.

        Args:
            channels: Channels of the trunk's stages.
            w_dim: Length of a style.
            num_ws: Number of styles.
            size: Side of the last stage's features.
            pyramid: Use a feature pyramid (arXiv:1612.03144), in which finer styles take finer features.
            progressive: The first head predicts one style for all layers, the others offsets to it (e4e).
        """
        super().__init__()
        self.w_dim, self.num_ws, self.size = w_dim, num_ws, size
        self.pyramid, self.progressive = pyramid, progressive
        if pyramid:
            # The names of the layers are those of the checkpoints.
            self.latlayer1 = nn.Conv2d(channels[-2], channels[-1], 1)
            self.latlayer2 = nn.Conv2d(channels[-3], channels[-1], 1)
        sizes = [size << (level_of(i) if pyramid else 0) for i in range(num_ws)]  # 16, 32 or 64 for images of 256
        self.styles = nn.ModuleList(StyleHead(channels[-1], w_dim, s) for s in sizes)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Map the features of the trunk's stages to codes (N, num_ws, w_dim)."""
        levels = self.levels(features) if self.pyramid else features[-1:] * 3  # three times the last features
        codes = torch.stack([head(levels[level_of(i)]) for i, head in enumerate(self.styles)], dim=1)
        return add_up(codes) if self.progressive else codes

    def levels(self, features: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the pyramid, coarse to fine, (N, channels[-1], S, S) for S = size, 2 size and 4 size."""
        *_, fine, middle, coarse = features
        middle = upsample_add(coarse, self.latlayer1(middle))
        return coarse, middle, upsample_add(middle, self.latlayer2(fine))


class LastLayerIntoW(nn.Module):
    """A head that maps the mean of the last features to one style for all layers (pSp's baseline in W)."""

    def __init__(self, channels: int, *, w_dim: int, num_ws: int, size: int = 16) -> None:
        super().__init__()
        self.w_dim, self.num_ws, self.size = w_dim, num_ws, size
        self.linear = nn.Linear(channels, w_dim)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Map the features of the trunk's stages to codes (N, num_ws, w_dim)."""
        return broadcast(self.linear(features[-1].mean(dim=(2, 3))), self.num_ws)


class LastLayerIntoWPlus(nn.Module):
    """A head that maps the last features to all styles (pSp's naive baseline in W+)."""

    def __init__(self, channels: int, *, w_dim: int, num_ws: int, size: int = 16) -> None:
        super().__init__()
        self.w_dim, self.num_ws, self.size = w_dim, num_ws, size
        norm, pool = nn.BatchNorm2d(channels), nn.AdaptiveAvgPool2d(POOLED)
        self.output_layer_2 = nn.Sequential(norm, pool, nn.Flatten(), nn.Linear(channels * POOLED**2, w_dim))
        self.linear = nn.Linear(w_dim, num_ws * w_dim)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Map the features of the trunk's stages to codes (N, num_ws, w_dim)."""
        codes: Tensor = self.linear(self.output_layer_2(features[-1])).unflatten(1, (self.num_ws, self.w_dim))
        return codes


Heads = StyleHeads | LastLayerIntoW | LastLayerIntoWPlus


class PretrainedEncoder(nn.Module):
    """An encoder of pSp's family: a trunk, heads, and the code to which their output is added."""

    latent_avg: Tensor

    def __init__(self, trunk: IRSE50, heads: Heads, *, latent_avg: Tensor, from_latent_avg: bool = True) -> None:
        """Build an encoder from its parts.

        Args:
            trunk: Trunk of 3 input channels, or 6 for the image of the current code as well (ReStyle).
            heads: Layers from the trunk's features to styles.
            latent_avg: The generator's mean of w, (w_dim,) or (num_ws, w_dim).
            from_latent_avg: The heads' output is an offset from `latent_avg`.

        Raises:
            ValueError: `latent_avg` has another shape.
        """
        super().__init__()
        self.num_ws, self.w_dim = heads.num_ws, heads.w_dim
        if latent_avg.shape not in ((self.w_dim,), (self.num_ws, self.w_dim)):
            wanted = f"({self.w_dim},) or ({self.num_ws}, {self.w_dim})"
            raise ValueError(f"latent_avg must be {wanted}, got {tuple(latent_avg.shape)}")
        self.trunk, self.heads = trunk, heads
        self.resolution = heads.size << len(trunk.channels)  # every stage of the trunk halves the resolution
        self.iterative, self.from_latent_avg = trunk.in_channels == 6, from_latent_avg
        self.register_buffer("latent_avg", latent_avg)

    def forward(self, image: Tensor) -> Tensor:
        """Predict codes (N, num_ws, w_dim) of aligned images (N, 3, resolution, resolution) in [-1, 1].

        Raises:
            ValueError: The images have another shape, or the encoder needs `restyle`.
        """
        if self.iterative:
            raise ValueError("a ReStyle encoder needs a generator; use restyle")
        self._check(image)
        return self.start(image.shape[0]) + self._offsets(image)

    def refine(self, image: Tensor, previous_image: Tensor, previous_w_plus: Tensor) -> Tensor:
        """Take one step of ReStyle to better codes, (N, num_ws, w_dim) (Alaluf et al., arXiv:2104.02699).

        Args:
            image: Aligned images, (N, 3, resolution, resolution) in [-1, 1].
            previous_image: Images of the current codes, of the same shape and range.
            previous_w_plus: Current codes, (N, num_ws, w_dim).

        Raises:
            ValueError: The images have another shape, or the encoder is not of ReStyle.
        """
        if not self.iterative:
            raise ValueError("an encoder of one pass has no steps; call it with the image")
        self._check(image)
        self._check(previous_image)
        return previous_w_plus + self._offsets(torch.cat([image, previous_image], dim=1))

    def start(self, count: int) -> Tensor:
        """Return the codes to which the first output is added, (count, num_ws, w_dim)."""
        start = self.latent_avg if self.from_latent_avg else torch.zeros_like(self.latent_avg)
        return start.expand(count, self.num_ws, -1)

    def _offsets(self, image: Tensor) -> Tensor:
        offsets: Tensor = self.heads(self.trunk(image))
        return offsets

    def _check(self, image: Tensor) -> None:
        size = self.resolution
        if image.ndim != 4 or image.shape[1:] != (3, size, size):
            raise ValueError(f"image must be (N, 3, {size}, {size}), got {tuple(image.shape)}")


def restyle(encoder: PretrainedEncoder, generator: Generator, image: Tensor, *, steps: int = 5) -> Tensor:
    """Predict codes iteratively, each from the image of the one before (ReStyle, Alaluf et al., arXiv:2104.02699).

    Args:
        encoder: An encoder of six channels.
        generator: Generator of the codes.
        image: Aligned images, (N, 3, encoder.resolution, encoder.resolution) in [-1, 1].
        steps: Number of passes; 0 returns the mean latent.

    Returns:
        Codes (N, num_ws, w_dim).
    """
    w_plus = encoder.start(image.shape[0])
    for _ in range(steps):
        w_plus = encoder.refine(image, _drawn(generator, w_plus, encoder.resolution), w_plus)
    return w_plus


def level_of(head: int) -> int:
    """Return the pyramid level whose features a head takes: 0 coarse, 1 middle, 2 fine."""
    return (head >= MIDDLE) + (head >= FINE)


def upsample_add(coarse: Tensor, fine: Tensor) -> Tensor:
    """Upsample coarse features (N, C, H, W) to the size of fine ones (N, C, H', W') and add these."""
    # With aligned corners, as in the original networks and unlike our image resizing.
    return F.interpolate(coarse, fine.shape[2:], mode="bilinear", align_corners=True) + fine


def add_up(codes: Tensor) -> Tensor:
    """Add the first style of codes (N, num_ws, w_dim) to all others, as e4e does (Tov et al., arXiv:2102.02766)."""
    return torch.cat([codes[:, :1], codes[:, :1] + codes[:, 1:]], dim=1)


def _drawn(generator: Generator, w_plus: Tensor, resolution: int) -> Tensor:
    image = generator.synthesis(w_plus, resolution=min(resolution, generator.resolution))
    return F.adaptive_avg_pool2d(image, resolution)  # shrinks a larger image, repeats the pixels of a smaller one
