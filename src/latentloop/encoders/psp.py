"""Encoders from photos to codes: pSp (arXiv:2008.00951), e4e (arXiv:2102.02766) and ReStyle (arXiv:2104.02699).

They share a trunk, and differ in what the heads on it see, and in what the codes are offsets from.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.encoders.irse import IRSE50
from latentloop.generators import Generator
from latentloop.latents import broadcast

MIDDLE, FINE = 3, 7
"""Numbers of the first heads of a pyramid that take its middle and its fine features."""
POOLED = 7
"""Rows and columns of the features that `LastLayerIntoWPlus` takes."""


class StyleHead(nn.Module):
    """A head for one style: strided convolutions down to one pixel, then a fully connected layer."""

    def __init__(self, in_channels: int, w_dim: int, size: int) -> None:
        """Build the layers.

        Args:
            in_channels: Channels of the features.
            w_dim: Length of the style.
            size: Rows and columns of the features; a power of two, 2 or more.
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
    """Output heads, one per style, on a pyramid of features (pSp, e4e) or on the last ones alone (ReStyle)."""

    def __init__(
        self, channels: tuple[int, ...], *, w_dim: int, num_ws: int, size: int, pyramid: bool, progressive: bool
    ) -> None:
        """Build the heads.

        Args:
            channels: Channels of the trunk's stages.
            w_dim: Length of a style.
            num_ws: Number of styles.
            size: Rows and columns of the last stage's features.
            pyramid: Finer styles see finer features, to which coarser ones are added (arXiv:1612.03144).
            progressive: The first head gives a style for all layers, the others what to add to it (e4e).
        """
        super().__init__()
        self.w_dim, self.num_ws, self.size = w_dim, num_ws, size
        self.pyramid, self.progressive = pyramid, progressive
        if pyramid:
            self.latlayer1 = nn.Conv2d(channels[-2], channels[-1], 1)
            self.latlayer2 = nn.Conv2d(channels[-3], channels[-1], 1)
        sizes = [size << (level_of(i) if pyramid else 0) for i in range(num_ws)]
        self.styles = nn.ModuleList(StyleHead(channels[-1], w_dim, s) for s in sizes)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Map the features of the trunk's stages to codes (N, num_ws, w_dim)."""
        levels = self.levels(features) if self.pyramid else features[-1:] * 3
        codes = torch.stack([head(levels[level_of(i)]) for i, head in enumerate(self.styles)], dim=1)
        return add_up(codes) if self.progressive else codes

    def levels(self, features: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Build the pyramid, coarse to fine: (N, channels[-1], S, S), the same at 2S, and at 4S."""
        *_, fine, middle, coarse = features
        middle = upsample_add(coarse, self.latlayer1(middle))
        return coarse, middle, upsample_add(middle, self.latlayer2(fine))


class LastLayerIntoW(nn.Module):
    """A head that maps the means of the last features to one style for all layers (pSp's comparison in W)."""

    def __init__(self, channels: int, *, w_dim: int, num_ws: int, size: int = 16) -> None:
        super().__init__()
        self.w_dim, self.num_ws, self.size = w_dim, num_ws, size
        self.linear = nn.Linear(channels, w_dim)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Map the features of the trunk's stages to codes (N, num_ws, w_dim)."""
        return broadcast(self.linear(features[-1].mean(dim=(2, 3))), self.num_ws)


class LastLayerIntoWPlus(nn.Module):
    """A head that maps the last features to all styles (pSp's naive comparison in W+)."""

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
    """An encoder of pSp's family: a trunk, heads, and the code that the heads' outputs are offsets from."""

    latent_avg: Tensor

    def __init__(self, trunk: IRSE50, heads: Heads, *, latent_avg: Tensor, from_latent_avg: bool = True) -> None:
        """Put the parts together.

        Args:
            trunk: Trunk that takes 3 channels, or 6 to see the image of the code so far as well (ReStyle).
            heads: Layers from the trunk's features to styles.
            latent_avg: The generator's mean of w, (w_dim,) or (num_ws, w_dim).
            from_latent_avg: Whether the heads' outputs are offsets from `latent_avg`.

        Raises:
            ValueError: The mean has another shape.
        """
        super().__init__()
        self.num_ws, self.w_dim = heads.num_ws, heads.w_dim
        if latent_avg.shape not in ((self.w_dim,), (self.num_ws, self.w_dim)):
            wanted = f"({self.w_dim},) or ({self.num_ws}, {self.w_dim})"
            raise ValueError(f"latent_avg must be {wanted}, got {tuple(latent_avg.shape)}")
        self.trunk, self.heads = trunk, heads
        self.resolution = heads.size << len(trunk.channels)
        self.iterative, self.from_latent_avg = trunk.in_channels == 6, from_latent_avg
        self.register_buffer("latent_avg", latent_avg)

    def forward(self, image: Tensor) -> Tensor:
        """Find codes (N, num_ws, w_dim) of aligned images (N, 3, resolution, resolution) in [-1, 1].

        Raises:
            ValueError: The images have another shape; the encoder is one for `restyle`.
        """
        if self.iterative:
            raise ValueError("an encoder that refines codes step by step needs a generator; see restyle")
        self._check(image)
        return self.start(image.shape[0]) + self._offsets(image)

    def refine(self, image: Tensor, previous_image: Tensor, previous_w_plus: Tensor) -> Tensor:
        """Find better codes, (N, num_ws, w_dim); one step of ReStyle (Alaluf et al., arXiv:2104.02699).

        Args:
            image: Aligned, (N, 3, resolution, resolution) in [-1, 1].
            previous_image: Images of the codes so far, of the same shape and range.
            previous_w_plus: These codes.

        Raises:
            ValueError: The images have another shape; the encoder takes one image alone.
        """
        if not self.iterative:
            raise ValueError("an encoder of one pass has no steps; call it with the image")
        self._check(image)
        self._check(previous_image)
        return previous_w_plus + self._offsets(torch.cat([image, previous_image], dim=1))

    def start(self, count: int) -> Tensor:
        """Return the codes that the (first) offsets are added to, (count, num_ws, w_dim)."""
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
    """Find codes step by step, each from the image of the one before (Alaluf et al., arXiv:2104.02699).

    Args:
        encoder: An encoder that takes two images.
        generator: The generator of the codes.
        image: Aligned, (N, 3, encoder.resolution, encoder.resolution) in [-1, 1].
        steps: Number of refinements; 0 gives the mean.

    Returns:
        Codes (N, num_ws, w_dim).
    """
    w_plus = encoder.start(image.shape[0])
    for _ in range(steps):
        w_plus = encoder.refine(image, _drawn(generator, w_plus, encoder.resolution), w_plus)
    return w_plus


def level_of(head: int) -> int:
    """Return the level of the pyramid that a head takes: 0 coarse, 1 middle, 2 fine."""
    return (head >= MIDDLE) + (head >= FINE)


def upsample_add(coarse: Tensor, fine: Tensor) -> Tensor:
    """Upsample features (N, C, H, W) to a finer size and add the features (N, C, H', W') of that size."""
    # The corners' centres stay in place, unlike in `resize`.
    return F.interpolate(coarse, fine.shape[2:], mode="bilinear", align_corners=True) + fine


def add_up(codes: Tensor) -> Tensor:
    """Add the first style of (N, num_ws, w_dim) to all others (Tov et al., arXiv:2102.02766)."""
    return torch.cat([codes[:, :1], codes[:, :1] + codes[:, 1:]], dim=1)


def _drawn(generator: Generator, w_plus: Tensor, resolution: int) -> Tensor:
    image = generator.synthesis(w_plus, resolution=min(resolution, generator.resolution))
    return F.adaptive_avg_pool2d(image, resolution)  # repeats the pixels of a smaller one
