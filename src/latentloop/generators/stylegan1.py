"""StyleGAN1 in plain PyTorch (Karras et al., arXiv:1812.04948), equalised learning rates folded into the weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.generators.affine import Affine, affines_of
from latentloop.generators.mapping import SLOPE, Mapping
from latentloop.generators.noise import Noise, noise_maps
from latentloop.generators.resampling import area_average

TAPS = (1.0, 2.0, 1.0)
"""Taps of the low-pass filter, before they are scaled."""
EPSILON = 1e-8
"""Constant added to a variance before its root is taken."""


@dataclass(frozen=True)
class Shape:
    """Sizes and switches that determine the architecture of a StyleGAN1."""

    mapping: tuple[int, ...]
    """Widths of the mapping network: z, then each layer's output, w last."""
    channels: tuple[int, ...]
    """Channels of the features at 4, 8, 16 ... pixels."""
    layerwise: bool = False
    """True if the mapping network gives a style for each layer (Zhu et al., arXiv:2004.00049)."""
    tanh: bool = False
    """True if a tanh bounds the image to [-1, 1]."""

    def __post_init__(self) -> None:
        if len(self.mapping) < 2 or not self.channels or min(*self.mapping, *self.channels) < 1:
            raise ValueError(f"sizes that no network has: {self}")
        if self.layerwise and self.mapping[-1] % self.num_ws:
            raise ValueError(f"{self.mapping[-1]} numbers are no {self.num_ws} styles: {self}")

    @property
    def num_ws(self) -> int:
        """Style inputs: two for each resolution."""
        return 2 * len(self.channels)

    @property
    def resolution(self) -> int:
        """Pixels of a side of the image."""
        return 4 << (len(self.channels) - 1)

    @property
    def z_dim(self) -> int:
        """Length of z, the input of the mapping network."""
        return self.mapping[0]

    @property
    def w_dim(self) -> int:
        """Length of a style vector."""
        return self.mapping[-1] // (self.num_ws if self.layerwise else 1)


def blur(x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Low-pass features (N, C, H, W), beyond whose border is nothing, and add a bias (C,)."""
    channels = x.shape[1]
    taps = x.new_tensor(TAPS) / 4
    kernel = (taps[:, None] * taps).expand(channels, 1, 3, 3)
    return F.conv2d(x, kernel, bias, padding=1, groups=channels)


def adaptive_instance_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Give each channel of each image a mean and a standard deviation (Huang & Belongie, arXiv:1703.06868).

    Args:
        x: Features, (N, C, H, W).
        scale: Standard deviations, (N, C).
        shift: Means, (N, C).
    """
    # In two passes: a mean of squares less the square of the mean would cancel. F.batch_norm of one image at a time
    # would do it all, but on a CPU sums channels that lie last naively: 1e-3 is lost over a million pixels.
    mean = x.mean(dim=(2, 3), keepdim=True)
    variance = F.mse_loss(x, mean.expand_as(x), reduction="none").mean(dim=(2, 3), keepdim=True)
    gain = scale[:, :, None, None] * (variance + EPSILON).rsqrt()
    return torch.addcmul(shift[:, :, None, None] - gain * mean, x, gain)


class Finish(nn.Module):
    """The end of every layer: noise, activation, and adaptive instance normalization by a style."""

    noise_const: Tensor

    def __init__(self, w_dim: int, channels: int, resolution: int) -> None:
        super().__init__()
        self.noise_strength = nn.Parameter(torch.zeros(channels))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.affine = nn.Linear(w_dim, 2 * channels)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """Finish features (N, C, R, R), which are overwritten.

        Args:
            x: Features.
            w: Styles, (N, w_dim).
            noise: Maps, (N or 1, 1, R, R), of unit strength; None for none.
        """
        if noise is not None:
            x = x.addcmul_(self.noise_strength[:, None, None], noise)
        scale, shift = self.affine(w).chunk(2, dim=1)
        return adaptive_instance_norm(F.leaky_relu_(x, SLOPE), scale + 1, shift)


class StyledConstant(nn.Module):
    """The first layer: a constant instead of a convolution."""

    def __init__(self, w_dim: int, channels: int) -> None:
        super().__init__()
        self.const = nn.Parameter(torch.randn(channels, 4, 4))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.finish = Finish(w_dim, channels, 4)

    def forward(self, w: Tensor, noise: Tensor | None) -> Tensor:
        """Make features (N, C, 4, 4) under styles (N, w_dim) and noise (N or 1, 1, 4, 4)."""
        x: Tensor = self.const + self.bias[:, None, None]
        x = self.finish(x.expand(len(w), -1, -1, -1).contiguous(memory_format=torch.channels_last), w, noise)
        return x  # noqa: RET504 - the assignment gives the module's Any its type


class StyledConv(nn.Module):
    """A 3x3 convolution, then noise, activation and style."""

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.finish = Finish(w_dim, out_channels, resolution)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """Map features (N, in_channels, R, R) to (N, out_channels, R, R) under styles and noise."""
        x = self.finish(F.conv2d(x, self.weight, self.bias, padding=1), w, noise)
        return x  # noqa: RET504 - the assignment gives the module's Any its type


class StyledUpConv(nn.Module):
    """Nearest-neighbour upsampling, a 3x3 convolution and a low-pass filter, then noise, activation and style.

    Upsampling and convolution are one transposed convolution of a 4x4 kernel, whose weights lie as PyTorch has them:
    (in_channels, out_channels, 3, 3), turned by 180 degrees against a convolution's.
    """

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(in_channels, out_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.finish = Finish(w_dim, out_channels, resolution)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """Map features (N, in_channels, R/2, R/2) to (N, out_channels, R, R) under styles and noise."""
        # Four shifted copies of the kernel, one for each pixel that upsampling makes of one, added up.
        kernel = F.avg_pool2d(self.weight, 2, stride=1, padding=1, divisor_override=1)
        x = F.conv_transpose2d(x, kernel, stride=2, padding=1)
        x = self.finish(blur(x, self.bias), w, noise)
        return x  # noqa: RET504 - the assignment gives the module's Any its type


class Synthesis(nn.Module):
    """The synthesis network, from styles in W+ to an image, which the last layer alone draws."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.w_dim = shape, shape.w_dim
        w_dim, channels = shape.w_dim, shape.channels
        self.const = StyledConstant(w_dim, channels[0])
        convs: list[nn.Module] = [StyledConv(w_dim, channels[0], channels[0], 4)]
        for i, (before, after) in enumerate(pairwise(channels)):
            convs.append(StyledUpConv(w_dim, before, after, 8 << i))
            convs.append(StyledConv(w_dim, after, after, 8 << i))
        self.convs = nn.ModuleList(convs)
        self.to_rgb = nn.Conv2d(channels[-1], 3, 1)

    @property
    def noise_shapes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each layer's noise map."""
        sizes = [4 << (i // 2) for i in range(self.shape.num_ws)]
        return tuple((size, size) for size in sizes)

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
        num_ws, full = self.shape.num_ws, self.shape.resolution
        if w_plus.ndim != 3 or w_plus.shape[1:] != (num_ws, self.w_dim):
            raise ValueError(f"w_plus must be (N, {num_ws}, {self.w_dim}), got {tuple(w_plus.shape)}")
        resolution = full if resolution is None else resolution
        if resolution < 1 or full % resolution:
            raise ValueError(f"resolution must divide {full}, got {resolution}")
        stored = [layer.finish.noise_const for layer in (self.const, *self.convs)]
        maps = noise_maps(noise, stored, batch=len(w_plus), randomness=randomness)
        return area_average(self._draw(w_plus.unbind(1), maps), resolution)

    def _draw(self, ws: Sequence[Tensor], maps: Sequence[Tensor | None]) -> Tensor:
        """The full image of each layer's styles (N, w_dim) and noise."""
        x: Tensor = self.const(ws[0], maps[0])
        for conv, w, noise in zip(self.convs, ws[1:], maps[1:], strict=True):
            x = conv(x, w, noise)
        image: Tensor = self.to_rgb(x)
        return image.tanh() if self.shape.tanh else image


class LayerwiseMapping(nn.Module):
    """A mapping network that makes a style for each layer (Zhu et al., arXiv:2004.00049)."""

    def __init__(self, widths: Sequence[int], num_ws: int) -> None:
        super().__init__()
        self.num_ws = num_ws
        self.network = Mapping(widths, gain=1.0)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map (N, z_dim) in Z to (N, num_ws, w_dim) in W+; there are no classes to have labels of."""
        styles: Tensor = self.network(z, labels)
        return styles.reshape(len(z), self.num_ws, -1)


class StyleGAN1(nn.Module):
    """A StyleGAN1 by Karras et al. (arXiv:1812.04948)."""

    latent_avg: Tensor
    """Mean of the mapping network's output: (w_dim,), or (num_ws, w_dim) if that is a style for each layer."""

    def __init__(self, shape: Shape, *, name: str, fingerprint: str) -> None:
        super().__init__()
        self.shape = shape
        self.name = name
        self.fingerprint = fingerprint
        self.z_dim, self.c_dim, self.w_dim = shape.z_dim, 0, shape.w_dim
        self.resolution, self.num_ws = shape.resolution, shape.num_ws
        layerwise = shape.layerwise
        self.mapping = LayerwiseMapping(shape.mapping, self.num_ws) if layerwise else Mapping(shape.mapping, gain=1.0)
        self.synthesis = Synthesis(shape)
        self.register_buffer("latent_avg", torch.zeros((self.num_ws, self.w_dim) if layerwise else self.w_dim))

    @property
    def device(self) -> torch.device:
        """Device of the generator's weights."""
        return self.latent_avg.device

    def affines(self) -> list[list[Affine]]:
        """Give the linear maps from each style, coarsest first: to a layer's scales, and to its shifts."""
        layers = (self.synthesis.const, *self.synthesis.convs)
        return [_scales_and_shifts(one) for one in affines_of([layer.finish.affine for layer in layers])]


def _scales_and_shifts(affine: Affine) -> list[Affine]:
    (to_scale, to_shift), (scale, shift) = affine.weight.chunk(2), affine.bias.chunk(2)
    return [Affine(to_scale, scale + 1), Affine(to_shift, shift)]
