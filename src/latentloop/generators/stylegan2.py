"""StyleGAN2 in plain PyTorch (Karras et al., arXiv:1912.04958), also as trained with ADA (arXiv:2006.06676).

Styles scale the features instead of the weights, which one convolution for the whole batch then shares: drawing needs
no grouped convolution, and the gradient in the code none of the weights.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.generators.affine import Affine, affines_of
from latentloop.generators.mapping import SLOPE, Mapping
from latentloop.generators.noise import Noise, noise_maps
from latentloop.generators.resampling import area_average, blur, upsample_image

GAIN = math.sqrt(2)
"""Gain of the leaky ReLU activation."""


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
    """True if every resolution adds to the image; otherwise the last alone draws it."""
    clamp: float | None = None
    """Bound on the size of features, where training with float16 had one."""

    def __post_init__(self) -> None:
        if len(self.mapping) < 2 or not self.channels or min(*self.mapping, *self.channels) < 1 or self.c_dim < 0:
            raise ValueError(f"sizes that no network has: {self}")
        if self.clamp is not None and not 0 < self.clamp < math.inf:
            raise ValueError(f"clamp must be above 0 and finite, got {self.clamp}")

    @property
    def num_ws(self) -> int:
        """Style inputs: two for each resolution."""
        return 2 * len(self.channels)

    @property
    def resolution(self) -> int:
        """Pixels of a side of the image."""
        return 4 << (len(self.channels) - 1)


@dataclass(frozen=True)
class Styles:
    """A code in StyleSpace (Wu et al., arXiv:2011.12799): each layer's scales of the channels of its input."""

    convs: tuple[Tensor, ...]
    """Scales of the convolutions, coarsest first, each (N, C)."""
    to_rgb: tuple[Tensor, ...]
    """Scales of the layers that draw, coarsest first, each (N, C)."""


class StyledConv(nn.Module):
    """A modulated convolution with demodulation, then noise, bias and activation."""

    noise_const: Tensor
    norms: Tensor | None
    """Squared norms of the weights between each output and input, (out_channels, in_channels), once prepared."""

    def __init__(
        self, w_dim: int, in_channels: int, out_channels: int, resolution: int, *, up: bool, clamp: float | None
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.clamp = resolution, up, clamp
        self.affine = nn.Linear(w_dim, in_channels)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("norms", None, persistent=False)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Map features (N, in_channels, R or R/2, ...) under styles (N, in_channels) to (N, out_channels, R, R).

        Args:
            x: Features, of half the resolution if this layer doubles it.
            style: Scales of the channels.
            noise: Maps, (N or 1, 1, R, R), of unit strength; None for none.
        """
        x = x * style[:, :, None, None]
        if self.up:
            x = blur(F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2))
        else:
            x = F.conv2d(x, self.weight, padding=1)
        # The activation is positively homogeneous: its gain goes into the small tensors before it.
        shift = GAIN * self.bias[:, None, None]
        x = torch.addcmul(shift, x, GAIN * self.demodulation(style)[:, :, None, None])
        if noise is not None:
            x.add_(GAIN * self.noise_strength * noise)
        x = F.leaky_relu_(x, SLOPE)
        return _clamped(x, self.clamp)

    def demodulation(self, style: Tensor) -> Tensor:
        """Give one over the norm of each output's modulated weights, (N, out_channels)."""
        if self.weight.requires_grad:
            self.norms = None  # weights that learn will be others when they are frozen again
        norms = self.weight.square().sum(dim=(2, 3)) if self.norms is None else self.norms
        return (style.square() @ norms.T + 1e-8).rsqrt()

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        self.norms = None
        super()._load_from_state_dict(*args, **kwargs)

    def prepare(self) -> None:
        """Lay weights that will not change out as the convolution wants them, and keep what depends on them alone."""
        # Channels-last, as the features are; the transposed convolution has its weights the other way round.
        rows = self.weight.transpose(0, 1) if self.up else self.weight
        rows = rows.contiguous(memory_format=torch.channels_last)
        self.weight.data = rows.transpose(0, 1) if self.up else rows
        self.norms = self.weight.detach().square().sum(dim=(2, 3))


def _clamped(x: Tensor, limit: float | None) -> Tensor:
    return x if limit is None else x.clamp(-limit, limit)


class ToRGB(nn.Module):
    """A modulated 1x1 convolution to colours, without demodulation."""

    def __init__(self, w_dim: int, in_channels: int, *, clamp: float | None) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = nn.Linear(w_dim, in_channels)
        self.weight = nn.Parameter(torch.randn(3, in_channels) / math.sqrt(in_channels))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map features (N, in_channels, R, R) under styles (N, in_channels) to colours (N, 3, R, R)."""
        # Three rows a picture are few enough to modulate: no pass over the features but the product's own.
        weight = self.weight * style[:, None]
        rgb = torch.baddbmm(self.bias[:, None], weight, x.flatten(2)).unflatten(2, x.shape[2:])
        return _clamped(rgb, self.clamp)


class Synthesis(nn.Module):
    """The synthesis network, from styles in W+ to an image."""

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

    @property
    def layers(self) -> list[StyledConv]:
        """Convolutions, coarsest first."""
        return cast("list[StyledConv]", list(self.convs))

    @property
    def drawing(self) -> list[ToRGB]:
        """Layers that draw, coarsest first."""
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
            resolution: R.
            noise: The stored maps, "random" ones, "none", or maps (N or 1, 1, H, W) of the `noise_shapes`.
            randomness: Generator of random noise; None for PyTorch's own.
        """
        return self.draw(self.styles(w_plus), resolution=resolution, noise=noise, randomness=randomness)

    def styles(self, w_plus: Tensor) -> Styles:
        """Map codes (N, num_ws, w_dim) to StyleSpace."""
        if w_plus.ndim != 3 or w_plus.shape[1:] != (self.shape.num_ws, self.w_dim):
            wanted, got = (self.shape.num_ws, self.w_dim), tuple(w_plus.shape)
            raise ValueError(f"w_plus must be (N, {wanted[0]}, {wanted[1]}), got {got}")
        # A layer that draws shares its style with the convolution after it; the last has one of its own.
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
        full = self.shape.resolution
        resolution = full if resolution is None else resolution
        if resolution < 1 or full % resolution:
            raise ValueError(f"resolution must divide {full}, got {resolution}")
        return area_average(self._image(styles, noise, randomness, levels=len(self.shape.channels)), resolution)

    def coarse(
        self, w_plus: Tensor, resolution: int, *, noise: Noise = "const", randomness: torch.Generator | None = None
    ) -> Tensor:
        """Draw with the layers up to a resolution alone, (N, 3, R, R): far cheaper than the full image, only similar.

        Raises:
            ValueError: There is no such image; where the last layer alone draws, there is none but the full one.
        """
        sizes = [layer.resolution for layer in self.layers[::2]]
        if resolution not in (sizes if self.shape.skip else sizes[-1:]):
            raise ValueError(f"no layer draws {resolution} pixels")
        return self._image(self.styles(w_plus), noise, randomness, levels=sizes.index(resolution) + 1)

    def _image(self, styles: Styles, noise: Noise, randomness: torch.Generator | None, *, levels: int) -> Tensor:
        """The image that the first levels draw."""
        batch, layers = len(styles.convs[0]), self.layers
        maps = noise_maps(noise, [layer.noise_const for layer in layers], batch=batch, randomness=randomness)
        first = 0 if self.shape.skip else len(self.shape.channels) - 1
        x = self.const.expand(batch, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        image: Tensor = x.new_zeros(())
        for i, layer in enumerate(layers[: 2 * levels - 1]):
            x = layer(x, styles.convs[i], maps[i])
            drawn = i // 2 - first
            if i % 2 == 0 and drawn >= 0:
                rgb = self.drawing[drawn](x, styles.to_rgb[drawn])
                image = rgb + upsample_image(image) if drawn else rgb
        return image


class StyleGAN2(nn.Module):
    """A StyleGAN2 by Karras et al. (arXiv:1912.04958)."""

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
        """Give the linear maps from each style, coarsest first."""
        synthesis, num_ws = self.synthesis, self.num_ws
        maps = [affines_of([layer.affine]) for layer in synthesis.layers] + [[]]
        for style, layer in zip(range(num_ws - 1, 0, -2), reversed(synthesis.drawing), strict=False):
            maps[style] += affines_of([layer.affine])
        return maps
