"""StyleGAN3 in plain PyTorch, configurations T and R (Karras et al., arXiv:2106.12423).

Features sample a signal on a canvas somewhat larger than the image. What each layer makes of them is band-limited, so
that details move with what they belong to. As in `stylegan2_layers`, styles scale the features, not the weights.
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.generators.affine import Affine, affines_of
from latentloop.generators.arguments import check_code, check_seam, find_resolution
from latentloop.generators.filtering import between, filtered_leaky_relu, lowpass, unused_border
from latentloop.generators.folding import MAX_RESOLUTION
from latentloop.generators.mapping import Mapping
from latentloop.generators.midway import Midway
from latentloop.generators.resampling import area_average
from latentloop.generators.stylegan2_layers import GAIN, ToRGB

MAX_MARGIN, MAX_TAPS = 512, 32
"""Limits several times above those of any published network: a file of a few bytes may claim any size."""


@dataclass(frozen=True)
class Shape:
    """Sizes and switches that determine the architecture of a StyleGAN3; the defaults are those of configuration T."""

    mapping: tuple[int, ...]
    """Widths of the mapping network: z, then each layer's output, w last."""
    channels: tuple[int, ...]
    """Channels of each layer's output; the first are those of its input, too."""
    resolution: int
    """Pixels of a side of the image."""
    c_dim: int = 0
    """Number of classes; 0 for an unconditional network."""
    kernel: int = 3
    """Size of the convolutions: 3, or 1 in configuration R."""
    radial: bool = False
    """True if the filters after activations are radially symmetric, as in configuration R."""
    num_critical: int = 2
    """Number of last layers that have the full bandwidth of the image."""
    first_cutoff: float = 2.0
    """Cutoff of the first layer, in cycles over the image; it grows geometrically to the last."""
    first_stopband: float = 2**2.1
    """Frequency at which the first layer's transition band ends, in cycles over the image."""
    last_stopband_rel: float = 2**0.3
    """Frequency at which the last layer's transition band ends, in units of its cutoff."""
    margin: int = 10
    """Pixels that the canvas extends beyond the image, whatever the sampling rate."""
    filter_size: int = 6
    """Taps of a filter for each pixel at the lower of its two rates."""
    oversampling: int = 2
    """The rate of activations, in units of that of the features."""
    clamp: float | None = 256.0
    """Bound on the size of activations."""
    output_scale: float = 0.25
    """Factor of the last layer's output."""

    def __post_init__(self) -> None:
        sizes = (*self.mapping, *self.channels, self.resolution, self.kernel, self.filter_size, self.oversampling)
        fits = len(self.mapping) > 1 and min(sizes) >= 1 and self.c_dim >= 0 and self.margin >= 0
        fits = fits and 0 <= self.num_critical < len(self.channels) and self.resolution <= MAX_RESOLUTION
        # The filters of a network without values are made all the same.
        fits = fits and max(self.filter_size, self.oversampling, self.kernel) <= MAX_TAPS and self.margin <= MAX_MARGIN
        if not fits or not 1 <= self.first_cutoff < self.resolution / 2 or self.kernel % 2 == 0:
            raise ValueError(f"sizes that no network has: {self}")
        if self.clamp is not None and not 0 < self.clamp < math.inf:
            raise ValueError(f"clamp must be above 0 and finite, got {self.clamp}")
        if not self.first_stopband > self.first_cutoff or not self.last_stopband_rel > 1:
            raise ValueError(f"a stop band below its cutoff: {self}")

    @property
    def num_ws(self) -> int:
        """Style inputs: one for the Fourier features, one for each layer and one for the layer that draws."""
        return len(self.channels) + 2


@dataclass(frozen=True)
class Signal:
    """The sampling of features, in units of a side of the image."""

    size: int
    """Pixels of a side of the canvas."""
    rate: int
    """Pixels of a side of the image."""
    cutoff: float
    """Highest frequency, in cycles over the image."""
    half_width: float
    """Half the width of the transition band around the cutoff."""


def layer_signal(shape: Shape, index: int) -> Signal:
    """Describe the signal that layer `index`, counted from 0, gives."""
    layers, last_cutoff = len(shape.channels), shape.resolution / 2
    progress = min(index / (layers - shape.num_critical), 1)
    cutoff = shape.first_cutoff * (last_cutoff / shape.first_cutoff) ** progress
    last_stopband = last_cutoff * shape.last_stopband_rel
    stopband = shape.first_stopband * (last_stopband / shape.first_stopband) ** progress
    rate = 2 ** math.ceil(math.log2(min(2 * stopband, shape.resolution)))
    size = shape.resolution if index == layers - 1 else rate + 2 * shape.margin
    return Signal(size, rate, cutoff, half_width=max(stopband, rate / 2) - cutoff)


class FourierFeatures(nn.Module):
    """Sine waves on a plane that the style turns and shifts, mixed."""

    transform: Tensor
    freqs: Tensor
    phases: Tensor

    def __init__(self, w_dim: int, channels: int, signal: Signal) -> None:
        super().__init__()
        self.signal = signal
        self.affine = nn.Linear(w_dim, 4)
        self.weight = nn.Parameter(torch.randn(channels, channels) / math.sqrt(channels))
        angle, radius = 2 * math.pi * torch.rand(channels), signal.cutoff * torch.rand(channels).sqrt()
        self.register_buffer("freqs", torch.stack([angle.cos(), angle.sin()], dim=1) * radius[:, None])
        self.register_buffer("phases", torch.rand(channels) - 0.5)
        # From the drawn image's plane to the one that w then moves: another than the identity moves the image.
        self.register_buffer("transform", torch.eye(3))

    def forward(self, w: Tensor) -> Tensor:
        """Draw styles (N, w_dim) as features (N, C, H, W)."""
        signal, (freqs, phases) = self.signal, self.waves(w)
        at = (torch.arange(signal.size, dtype=w.dtype, device=w.device) + 0.5 - signal.size / 2) / signal.rate
        along_x, along_y = (f * at for f in freqs[..., None].unbind(2))
        waves = (2 * math.pi * (along_x[:, :, None] + (along_y + phases[..., None])[..., None])).sin()
        # Waves too fast for the sampling rate, of a transform that shrinks, fade out.
        limit = signal.rate / 2
        amplitudes = ((limit - freqs.norm(dim=2)) / (limit - signal.cutoff)).clamp(0, 1)
        mix = self.weight * amplitudes[:, None]
        features: Tensor = (mix @ waves.flatten(2)).unflatten(2, waves.shape[2:])
        return features

    def waves(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Map styles (N, w_dim) to frequencies (N, C, 2) in x and y, and phases (N, C), in turns, at the centre."""
        motion: Tensor = self.affine(w)
        motion = motion / motion[:, :2].norm(dim=1, keepdim=True)
        cos, sin, *_ = motion.unbind(1)
        rotation = torch.stack([cos, -sin, sin, cos], dim=1).unflatten(1, (2, 2))
        rotated = self.freqs @ rotation
        shift = self.transform[:2, 2] - motion[:, 2:]
        return rotated @ self.transform[:2, :2], self.phases + (rotated @ shift[..., None]).squeeze(2)


class StyledConv(nn.Module):
    """A modulated convolution with demodulation, then bias and the filtered activation."""

    up_taps: Tensor
    down_taps: Tensor
    input_gain: Tensor

    def __init__(self, shape: Shape, index: int) -> None:
        super().__init__()
        before, after = layer_signal(shape, max(index - 1, 0)), layer_signal(shape, index)
        in_channels, out_channels = shape.channels[max(index - 1, 0)], shape.channels[index]
        self.size, self.clamp = after.size, shape.clamp
        self.affine = nn.Linear(shape.mapping[-1], in_channels)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, shape.kernel, shape.kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        # One over the root mean square that the features had in training.
        self.register_buffer("input_gain", torch.ones(()))
        self._add_filters(
            shape, before, after, radial=shape.radial and index < len(shape.channels) - shape.num_critical
        )
        wanted = between(after.size, len(self.down_taps), self.down)
        full = before.size + shape.kernel - 1
        # All that a convolution can make of the canvas, less what would be cropped: below 0, the canvas itself is.
        self.padding = shape.kernel - 1 - unused_border(full, len(self.up_taps), self.up, wanted)

    def _add_filters(self, shape: Shape, before: Signal, after: Signal, *, radial: bool) -> None:
        rate = max(before.rate, after.rate) * shape.oversampling
        self.up, self.down = rate // before.rate, rate // after.rate
        taps = [shape.filter_size * factor if factor > 1 else 1 for factor in (self.up, self.down)]
        up = lowpass(taps[0], cutoff=before.cutoff, half_width=before.half_width, rate=rate)
        down = lowpass(taps[1], cutoff=after.cutoff, half_width=after.half_width, rate=rate, radial=radial)
        self.register_buffer("up_taps", up.float(), persistent=False)
        self.register_buffer("down_taps", down.float(), persistent=False)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map features (N, in_channels, ...) under styles (N, in_channels) to (N, out_channels, size, size)."""
        if self.padding < 0:
            x = x[..., -self.padding : self.padding, -self.padding : self.padding]
        x = F.conv2d(x * style[:, :, None, None], self.weight, padding=max(self.padding, 0))
        # The activation is positively homogeneous: its gain goes into the small tensors before it.
        x = torch.addcmul(GAIN * self.bias[:, None, None], x, GAIN * self.scale(style)[:, :, None, None])
        taps = (self.up_taps, self.down_taps)
        return filtered_leaky_relu(x, *taps, up=self.up, down=self.down, size=self.size, clamp=self.clamp)

    def scale(self, style: Tensor) -> Tensor:
        """Give the scale of each output to unit variance, (N, out_channels), under styles (N, in_channels)."""
        norms = self.weight.square().sum(dim=(2, 3))
        # Weights and styles of a mean square of 1 would have this epsilon alone.
        epsilon = 1e-8 * style.square().mean(dim=1, keepdim=True) * self.weight.square().mean(dim=(1, 2, 3))
        return self.input_gain * (style.square() @ norms.T + epsilon).rsqrt()


class Synthesis(nn.Module):
    """The synthesis network, from styles in W+ to an image."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.w_dim, channels = shape, shape.mapping[-1], shape.channels
        self.input = FourierFeatures(self.w_dim, channels[0], layer_signal(shape, 0))
        self.convs = nn.ModuleList(StyledConv(shape, i) for i in range(len(channels)))
        self.to_rgb = ToRGB(self.w_dim, channels[-1], clamp=shape.clamp)
        signals = [layer_signal(shape, i) for i in range(len(channels))]
        self.seams = {one.rate: (wide, one.size, one.size) for one, wide in zip(signals, channels, strict=True)}
        """Sampling rates after whose last layer the network can be cut, with the shape (C, H, W) of the features."""
        self._counts = {one.rate: count for count, one in enumerate(signals, 1)}

    @property
    def layers(self) -> list[StyledConv]:
        """Convolutions, coarsest first."""
        return cast("list[StyledConv]", list(self.convs))

    def forward(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R), about [-1, 1]."""
        return self.finish(self.begin(w_plus, min(self.seams)), w_plus, resolution=resolution)

    def begin(self, w_plus: Tensor, seam: int) -> Midway:
        """Draw styles (N, num_ws, w_dim) up to one of the `seams`."""
        check_code(w_plus, num_ws=self.shape.num_ws, w_dim=self.w_dim)
        check_seam(seam, self.seams)
        x = self.input(w_plus[:, 0].to(self.input.freqs.dtype)).to(w_plus.dtype)
        return Midway(seam, self._through(x, w_plus, range(self._counts[seam])))

    def finish(self, midway: Midway, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Draw the rest of images that were begun, as RGB (N, 3, R, R), under styles (N, num_ws, w_dim)."""
        check_code(w_plus, num_ws=self.shape.num_ws, w_dim=self.w_dim)
        resolution = find_resolution(resolution, self.shape.resolution)
        x = self._through(midway.features, w_plus, range(self._counts[midway.seam], len(self.layers)))
        image = self.shape.output_scale * self.to_rgb(x, self.to_rgb.affine(w_plus[:, -1]))
        return area_average(image, resolution)

    def _through(self, x: Tensor, w_plus: Tensor, layers: range) -> Tensor:
        """Features (N, C, H, W) after some more layers."""
        for i in layers:
            layer = self.layers[i]
            x = layer(x, layer.affine(w_plus[:, i + 1]))
        return x


class StyleGAN3(nn.Module):
    """A StyleGAN3 by Karras et al. (arXiv:2106.12423)."""

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
        """Give the linear maps from each style, coarsest first; that of the first one gives its rotation and shift."""
        synthesis = self.synthesis
        convs = [layer.affine for layer in cast("list[StyledConv]", list(synthesis.layers))]
        return [affines_of([layer]) for layer in (synthesis.input.affine, *convs, synthesis.to_rgb.affine)]
