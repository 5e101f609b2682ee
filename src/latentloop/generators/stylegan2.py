"""StyleGAN2 in plain PyTorch (Karras et al., arXiv:1912.04958), also as trained with ADA (arXiv:2006.06676).

Its layers, in `stylegan2_layers`, modulate the features instead of the weights.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from latentloop.generators.affine import Affine, affines_of
from latentloop.generators.arguments import check_code, check_seam, find_resolution
from latentloop.generators.mapping import Mapping
from latentloop.generators.midway import Midway, level_of
from latentloop.generators.noise import Maps, Noise, noise_maps
from latentloop.generators.resampling import area_average, upsample_image
from latentloop.generators.stylegan2_layers import StyledConv, ToRGB


@dataclass(frozen=True)
class Shape:
    """Sizes and switches that determine the architecture of a StyleGAN2."""

    mapping: tuple[int, ...]
    """Widths of the mapping network: z, then each layer's output, w last."""
    channels: tuple[int, ...]
    """Channels of the features at 4, 8, 16 ... pixels."""
    c_dim: int = 0
    """Number of classes; 0 for an unconditional network."""
    skip: bool = True
    """True if every resolution adds to the RGB image (skip connections); otherwise only the last layer draws it."""
    clamp: float | None = None
    """Bound on the magnitude of features, as in training with float16; None for none."""

    def __post_init__(self) -> None:
        if len(self.mapping) < 2 or not self.channels or min(*self.mapping, *self.channels) < 1 or self.c_dim < 0:
            raise ValueError(f"sizes that no StyleGAN2 can have: {self}")
        if self.clamp is not None and not 0 < self.clamp < math.inf:
            raise ValueError(f"clamp must be above 0 and finite, got {self.clamp}")

    @property
    def num_ws(self) -> int:
        """Number of styles: two for each resolution."""
        return 2 * len(self.channels)

    @property
    def resolution(self) -> int:
        """Side of the image, in pixels."""
        return 4 << (len(self.channels) - 1)


@dataclass(frozen=True)
class Styles:
    """A code in StyleSpace: each layer's scales of its input channels (Wu et al., arXiv:2011.12799)."""

    convs: tuple[Tensor, ...]
    """Scales of the convolutions, coarsest first, each (N, C)."""
    to_rgb: tuple[Tensor, ...]
    """Scales of the ToRGB layers, coarsest first, each (N, C)."""


class Synthesis(nn.Module):
    """The synthesis network of StyleGAN2: from styles in W+ to an image."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.w_dim = shape, shape.mapping[-1]
        w_dim, channels, clamp = self.w_dim, shape.channels, shape.clamp
        self.const = nn.Parameter(torch.randn(channels[0], 4, 4))
        convs = [StyledConv(w_dim, channels[0], channels[0], 4, up=False, clamp=clamp)]
        for i, (before, after) in enumerate(pairwise(channels)):
            convs.append(StyledConv(w_dim, before, after, 8 << i, up=True, clamp=clamp))
            convs.append(StyledConv(w_dim, after, after, 8 << i, up=False, clamp=clamp))
        self.convs = nn.ModuleList(convs)
        drawing = channels if shape.skip else channels[-1:]
        self.to_rgb = nn.ModuleList(ToRGB(w_dim, c, clamp=clamp) for c in drawing)
        self.seams = {4 << i: (wide, 4 << i, 4 << i) for i, wide in enumerate(channels)}
        """Resolutions after whose last layer synthesis can be interrupted, with the features' shape (C, H, W)."""

    @property
    def layers(self) -> list[StyledConv]:
        """Modulated convolutions, coarsest first."""
        return cast("list[StyledConv]", list(self.convs))

    @property
    def drawing(self) -> list[ToRGB]:
        """ToRGB layers, coarsest first."""
        return cast("list[ToRGB]", list(self.to_rgb))

    @property
    def noise_shapes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each convolution's noise map."""
        return tuple((layer.resolution, layer.resolution) for layer in self.layers)

    def forward(
        self,
        w_plus: Tensor,
        *,
        resolution: int | None = None,
        noise: Noise = "const",
        randomness: torch.Generator | None = None,
    ) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R), about [-1, 1].

        Args:
            w_plus: Styles in W+.
            resolution: Resolution R to draw, a divisor of the full one; None for the full one.
            noise: "const" for the stored maps, "random", "none", or maps (N or 1, 1, H, W) of the `noise_shapes`.
            randomness: Generator of random noise; None for PyTorch's global generator.
        """
        return self.draw(self.styles(w_plus), resolution=resolution, noise=noise, randomness=randomness)

    def styles(self, w_plus: Tensor) -> Styles:
        """Map codes in W+, (N, num_ws, w_dim), to StyleSpace."""
        check_code(w_plus, num_ws=self.shape.num_ws, w_dim=self.w_dim)
        # A ToRGB layer shares its style with the next block's first convolution; the last has a style of its own.
        drawing = w_plus[:, 1::2] if self.shape.skip else w_plus[:, -1:]
        return Styles(
            convs=tuple(layer.affine(w) for layer, w in zip(self.layers, w_plus.unbind(1), strict=False)),
            to_rgb=tuple(layer.affine(w) for layer, w in zip(self.drawing, drawing.unbind(1), strict=True)),
        )

    def draw(
        self,
        styles: Styles,
        *,
        resolution: int | None = None,
        noise: Noise = "const",
        randomness: torch.Generator | None = None,
    ) -> Tensor:
        """Draw a code in StyleSpace as RGB (N, 3, R, R), about [-1, 1]."""
        resolution = find_resolution(resolution, self.shape.resolution)
        return area_average(self._whole(styles, noise, randomness, last=self.shape.resolution), resolution)

    def begin(self, w_plus: Tensor, seam: int) -> Midway:
        """Run the layers up to one of the `seams`, before its ToRGB layer, on styles (N, num_ws, w_dim)."""
        check_seam(seam, self.seams)
        return self._begin(self.styles(w_plus), self._maps("const", None, batch=1), seam)

    def finish(self, midway: Midway, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Run the remaining layers on styles (N, num_ws, w_dim), to RGB (N, 3, R, R)."""
        full, styles = self.shape.resolution, self.styles(w_plus)
        resolution = find_resolution(resolution, full)
        midway = self._advance(midway, styles, self._maps("const", None, batch=1), full)
        return area_average(self._image(midway, styles), resolution)

    def coarse(
        self, w_plus: Tensor, resolution: int, *, noise: Noise = "const", randomness: torch.Generator | None = None
    ) -> Tensor:
        """Draw with the layers up to a resolution only, (N, 3, R, R): far cheaper than the full image, and similar.

        Raises:
            ValueError: No layer draws that resolution; without skip connections only the full one exists.
        """
        sizes = [layer.resolution for layer in self.layers[::2]]
        drawn = sizes if self.shape.skip else sizes[-1:]
        if resolution not in drawn:
            raise ValueError(f"resolution must be one of {', '.join(map(str, drawn))}, got {resolution}")
        return self._whole(self.styles(w_plus), noise, randomness, last=resolution)

    def _maps(self, noise: Noise, randomness: torch.Generator | None, *, batch: int) -> Maps:
        return noise_maps(noise, [layer.noise_const for layer in self.layers], batch=batch, randomness=randomness)

    def _whole(self, styles: Styles, noise: Noise, randomness: torch.Generator | None, *, last: int) -> Tensor:
        """The image that the layers up to the resolution `last` draw."""
        maps = self._maps(noise, randomness, batch=styles.convs[0].shape[0])
        return self._image(self._begin(styles, maps, last), styles)

    def _begin(self, styles: Styles, maps: Maps, seam: int) -> Midway:
        x = self.const.expand(styles.convs[0].shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)
        return self._advance(Midway(4, self.layers[0](x, styles.convs[0], maps[0])), styles, maps, seam)

    def _advance(self, midway: Midway, styles: Styles, maps: Maps, seam: int) -> Midway:
        """Run the layers from one seam to a later one."""
        x, image, layers = midway.features, midway.image, self.layers
        for level in range(level_of(midway.seam), level_of(seam)):
            image = self._drawn(level, x, image, styles)
            for i in (2 * level + 1, 2 * level + 2):  # the up-convolution and the convolution of the next resolution
                x = layers[i](x, styles.convs[i], maps[i])
        return Midway(seam, x, image)

    def _image(self, midway: Midway, styles: Styles) -> Tensor:
        """The RGB image, including the contribution of the features at the seam."""
        image = self._drawn(level_of(midway.seam), midway.features, midway.image, styles)
        return cast("Tensor", image)  # the last resolution has a ToRGB layer in every network

    def _drawn(self, level: int, x: Tensor, image: Tensor | None, styles: Styles) -> Tensor | None:
        """The image (N, 3, R/2, R/2), upsampled, plus ToRGB of features (N, C, R, R); None before the first ToRGB."""
        # Without skip connections the only ToRGB layer, 0, belongs to the last level.
        i = level if self.shape.skip else level + 1 - len(self.shape.channels)
        if i < 0:
            return None
        rgb: Tensor = self.drawing[i](x, styles.to_rgb[i])
        return rgb if image is None else rgb + upsample_image(image)


class StyleGAN2(nn.Module):
    """StyleGAN2, the generator of Karras et al. (arXiv:1912.04958)."""

    latent_avg: Tensor

    def __init__(self, shape: Shape, *, name: str, fingerprint: str) -> None:
        super().__init__()
        self.shape = shape
        self.name = name
        self.fingerprint = fingerprint
        self.z_dim, self.c_dim, self.w_dim = shape.mapping[0], shape.c_dim, shape.mapping[-1]
        self.mapping = Mapping(shape.mapping, c_dim=shape.c_dim)
        self.synthesis = Synthesis(shape)
        self.resolution, self.num_ws = shape.resolution, shape.num_ws
        self.register_buffer("latent_avg", torch.zeros(self.w_dim))

    @property
    def device(self) -> torch.device:
        """Device of the generator's weights."""
        return self.latent_avg.device

    def affines(self) -> list[list[Affine]]:
        """Return the affine maps of each style, coarsest first: of its convolution, and of its ToRGB layer if any."""
        synthesis, num_ws = self.synthesis, self.num_ws
        maps = [affines_of([layer.affine]) for layer in synthesis.layers] + [[]]
        # From the last style back, every second one feeds a ToRGB layer; without skips there is only the last.
        for style, layer in zip(range(num_ws - 1, 0, -2), reversed(synthesis.drawing), strict=False):
            maps[style] += affines_of([layer.affine])
        return maps
