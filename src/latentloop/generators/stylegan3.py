"""StyleGAN3 in plain PyTorch, configurations T and R (Karras et al., arXiv:2106.12423).

Features are samples of band-limited signals on a canvas larger than the image, so that details move with the surfaces
they belong to (equivariance). As in `stylegan2_layers`, styles modulate the features, not the weights.
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
"""Limits well above any published network, against damaged files that would ask for gigabytes."""


@dataclass(frozen=True)
class Shape:
    """Sizes and switches that determine the architecture of a StyleGAN3; the defaults are those of configuration T."""

    mapping: tuple[int, ...]
    """Widths of the mapping network: z, then each layer's output, w last."""
    channels: tuple[int, ...]
    """Output channels of each layer; the first number is also that of the Fourier features."""
    resolution: int
    """Side of the image, in pixels."""
    c_dim: int = 0
    """Number of classes; 0 for an unconditional network."""
    kernel: int = 3
    """Kernel size of the convolutions: 3, or 1 in configuration R."""
    radial: bool = False
    """True if the downsampling filters are radially symmetric, as in configuration R."""
    num_critical: int = 2
    """Number of critically sampled layers at the end, whose cutoff is half the resolution."""
    first_cutoff: float = 2.0
    """Cutoff of the first layer, in cycles per image width; cutoffs grow geometrically to half the resolution."""
    first_stopband: float = 2**2.1
    """Minimum stopband frequency of the first layer, in cycles per image width."""
    last_stopband_rel: float = 2**0.3
    """Minimum stopband frequency of the last layer, relative to its cutoff."""
    margin: int = 10
    """Margin of the canvas around the image, in pixels, at every sampling rate."""
    filter_size: int = 6
    """Filter taps per sample at the lower of the two rates."""
    oversampling: int = 2
    """Sampling rate of the activations, relative to the higher rate of the features before and after."""
    clamp: float | None = 256.0
    """Bound on the magnitude of activations; None for none."""
    output_scale: float = 0.25
    """Factor of the RGB output."""

    def __post_init__(self) -> None:
        sizes = (*self.mapping, *self.channels, self.resolution, self.kernel, self.filter_size, self.oversampling)
        fits = len(self.mapping) > 1 and min(sizes) >= 1 and self.c_dim >= 0 and self.margin >= 0
        fits = fits and 0 <= self.num_critical < len(self.channels) and self.resolution <= MAX_RESOLUTION
        # Filters are designed even on the meta device, so their sizes must be bounded before a network is built.
        fits = fits and max(self.filter_size, self.oversampling, self.kernel) <= MAX_TAPS and self.margin <= MAX_MARGIN
        if not fits or not 1 <= self.first_cutoff < self.resolution / 2 or self.kernel % 2 == 0:
            raise ValueError(f"sizes that no StyleGAN3 can have: {self}")
        if self.clamp is not None and not 0 < self.clamp < math.inf:
            raise ValueError(f"clamp must be above 0 and finite, got {self.clamp}")
        if not self.first_stopband > self.first_cutoff or not self.last_stopband_rel > 1:
            raise ValueError(f"stopbands must be above their cutoffs: {self}")

    @property
    def num_ws(self) -> int:
        """Number of styles: one for the Fourier features, one for each layer and one for ToRGB."""
        return len(self.channels) + 2


@dataclass(frozen=True)
class Signal:
    """Sampling of a layer's features; frequencies are in cycles per image width."""

    size: int
    """Side of the canvas, in samples."""
    rate: int
    """Sampling rate: samples per image width."""
    cutoff: float
    """Cutoff frequency of the low-pass filters."""
    half_width: float
    """Half the width of the transition band around the cutoff."""


def layer_signal(shape: Shape, index: int) -> Signal:
    """Compute the sampling of the output of layer `index`, counted from 0 (section 3.2 of arXiv:2106.12423)."""
    layers, last_cutoff = len(shape.channels), shape.resolution / 2
    progress = min(index / (layers - shape.num_critical), 1)
    cutoff = shape.first_cutoff * (last_cutoff / shape.first_cutoff) ** progress
    last_stopband = last_cutoff * shape.last_stopband_rel
    stopband = shape.first_stopband * (last_stopband / shape.first_stopband) ** progress
    # The lowest power of two that samples the stopband without aliasing, but never above the image's own rate.
    rate = 2 ** math.ceil(math.log2(min(2 * stopband, shape.resolution)))
    size = shape.resolution if index == layers - 1 else rate + 2 * shape.margin
    # The transition band may use all frequencies up to Nyquist's, rate / 2.
    return Signal(size, rate, cutoff, half_width=max(stopband, rate / 2) - cutoff)


class FourierFeatures(nn.Module):
    """The input layer: Fourier features of a plane that the first style rotates and translates."""

    transform: Tensor
    freqs: Tensor
    phases: Tensor

    def __init__(self, w_dim: int, channels: int, signal: Signal) -> None:
        super().__init__()
        self.signal = signal
        self.affine = nn.Linear(w_dim, 4)
        self.weight = nn.Parameter(torch.randn(channels, channels) / math.sqrt(channels))
        # The square root makes frequencies uniform over the disc of the cutoff.
        angle, radius = 2 * math.pi * torch.rand(channels), signal.cutoff * torch.rand(channels).sqrt()
        self.register_buffer("freqs", torch.stack([angle.cos(), angle.sin()], dim=1) * radius[:, None])
        self.register_buffer("phases", torch.rand(channels) - 0.5)
        # An affine transform of image coordinates, applied before that of w; the identity leaves the image in place.
        self.register_buffer("transform", torch.eye(3))

    def forward(self, w: Tensor) -> Tensor:
        """Compute features (N, C, H, W) from styles (N, w_dim)."""
        signal, (freqs, phases) = self.signal, self.waves(w)
        # Sample positions in units of the image's width, 0 at the centre: the canvas reaches beyond +-0.5.
        at = (torch.arange(signal.size, dtype=w.dtype, device=w.device) + 0.5 - signal.size / 2) / signal.rate
        along_x, along_y = (f * at for f in freqs[..., None].unbind(2))
        waves = (2 * math.pi * (along_x[:, :, None] + (along_y + phases[..., None])[..., None])).sin()
        # A transform that shrinks the image raises frequencies; those between cutoff and Nyquist fade out linearly.
        limit = signal.rate / 2
        amplitudes = ((limit - freqs.norm(dim=2)) / (limit - signal.cutoff)).clamp(0, 1)
        mix = self.weight * amplitudes[:, None]  # (N, C, C): amplitudes scale the waves, the columns
        features: Tensor = (mix @ waves.flatten(2)).unflatten(2, waves.shape[2:])
        return features

    def waves(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Map styles (N, w_dim) to frequencies (N, C, 2) along x and y, and phases (N, C), in turns, at the centre."""
        # (cos, sin, shift in x, shift in y), up to a common factor that the norm of the first two removes.
        motion: Tensor = self.affine(w)
        motion = motion / motion[:, :2].norm(dim=1, keepdim=True)
        cos, sin, *_ = motion.unbind(1)
        rotation = torch.stack([cos, -sin, sin, cos], dim=1).unflatten(1, (2, 2))
        rotated = self.freqs @ rotation
        # A translation of the plane is a change of phase; w's goes the opposite way of the transform's.
        shift = self.transform[:2, 2] - motion[:, 2:]
        return rotated @ self.transform[:2, :2], self.phases + (rotated @ shift[..., None]).squeeze(2)


class StyledConv(nn.Module):
    """A modulated convolution with demodulation, then bias and the filtered leaky ReLU."""

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
        # 1 / root mean square of the features in training: NVIDIA's magnitude_ema to the power -1/2.
        self.register_buffer("input_gain", torch.ones(()))
        self._add_filters(
            shape, before, after, radial=shape.radial and index < len(shape.channels) - shape.num_critical
        )
        wanted = between(after.size, len(self.down_taps), self.down)
        full = before.size + shape.kernel - 1
        # Full padding, minus the border that upsampling would crop anyway; a negative number crops the input instead.
        self.padding = shape.kernel - 1 - unused_border(full, len(self.up_taps), self.up, wanted)

    def _add_filters(self, shape: Shape, before: Signal, after: Signal, *, radial: bool) -> None:
        # Rate at which the activation is applied, an integer multiple of both rates.
        rate = max(before.rate, after.rate) * shape.oversampling
        self.up, self.down = rate // before.rate, rate // after.rate
        taps = [shape.filter_size * factor if factor > 1 else 1 for factor in (self.up, self.down)]  # 1 is no filter
        up = lowpass(taps[0], cutoff=before.cutoff, half_width=before.half_width, rate=rate)
        down = lowpass(taps[1], cutoff=after.cutoff, half_width=after.half_width, rate=rate, radial=radial)
        self.register_buffer("up_taps", up.float(), persistent=False)
        self.register_buffer("down_taps", down.float(), persistent=False)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map features (N, in_channels, S, S) and styles (N, in_channels) to (N, out_channels, size, size)."""
        if self.padding < 0:
            x = x[..., -self.padding : self.padding, -self.padding : self.padding]
        x = F.conv2d(x * style[:, :, None, None], self.weight, padding=max(self.padding, 0))
        # Leaky ReLU is positively homogeneous, so its gain moves before it, into tensors smaller than the features.
        x = torch.addcmul(GAIN * self.bias[:, None, None], x, GAIN * self.scale(style)[:, :, None, None])
        taps = (self.up_taps, self.down_taps)
        return filtered_leaky_relu(x, *taps, up=self.up, down=self.down, size=self.size, clamp=self.clamp)

    def scale(self, style: Tensor) -> Tensor:
        """Compute the factor that gives each output unit variance, (N, out_channels), for styles (N, in_channels)."""
        norms = self.weight.square().sum(dim=(2, 3))
        # 1e-8 is meant for weights and styles of mean square 1, to which the original network scales them first.
        epsilon = 1e-8 * style.square().mean(dim=1, keepdim=True) * self.weight.square().mean(dim=(1, 2, 3))
        return self.input_gain * (style.square() @ norms.T + epsilon).rsqrt()


class Synthesis(nn.Module):
    """The synthesis network of StyleGAN3: from styles in W+ to an image."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.w_dim, channels = shape, shape.mapping[-1], shape.channels
        self.input = FourierFeatures(self.w_dim, channels[0], layer_signal(shape, 0))
        self.convs = nn.ModuleList(StyledConv(shape, i) for i in range(len(channels)))
        self.to_rgb = ToRGB(self.w_dim, channels[-1], clamp=shape.clamp)
        signals = [layer_signal(shape, i) for i in range(len(channels))]
        self.seams = {one.rate: (wide, one.size, one.size) for one, wide in zip(signals, channels, strict=True)}
        """Sampling rates after whose last layer synthesis can be interrupted, with the features' shape (C, H, W)."""
        self._counts = {one.rate: count for count, one in enumerate(signals, 1)}

    @property
    def layers(self) -> list[StyledConv]:
        """Modulated convolutions, coarsest first."""
        return cast("list[StyledConv]", list(self.convs))

    def forward(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R), about [-1, 1]."""
        return self.finish(self.begin(w_plus, min(self.seams)), w_plus, resolution=resolution)

    def begin(self, w_plus: Tensor, seam: int) -> Midway:
        """Run the layers up to one of the `seams` on styles (N, num_ws, w_dim)."""
        check_code(w_plus, num_ws=self.shape.num_ws, w_dim=self.w_dim)
        check_seam(seam, self.seams)
        # In low precision the Fourier features stay in float32, see `low_precision`.
        x = self.input(w_plus[:, 0].to(self.input.freqs.dtype)).to(w_plus.dtype)
        return Midway(seam, self._through(x, w_plus, range(self._counts[seam])))

    def finish(self, midway: Midway, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Run the remaining layers on styles (N, num_ws, w_dim), to RGB (N, 3, R, R)."""
        check_code(w_plus, num_ws=self.shape.num_ws, w_dim=self.w_dim)
        resolution = find_resolution(resolution, self.shape.resolution)
        x = self._through(midway.features, w_plus, range(self._counts[midway.seam], len(self.layers)))
        image = self.shape.output_scale * self.to_rgb(x, self.to_rgb.affine(w_plus[:, -1]))
        return area_average(image, resolution)

    def _through(self, x: Tensor, w_plus: Tensor, layers: range) -> Tensor:
        """Features (N, C, H, W) after the given layers."""
        for i in layers:
            layer = self.layers[i]
            x = layer(x, layer.affine(w_plus[:, i + 1]))  # style 0 is that of the Fourier features
        return x


class StyleGAN3(nn.Module):
    """StyleGAN3, the alias-free generator of Karras et al. (arXiv:2106.12423)."""

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
        """Return the affine map of each style, coarsest first; the first gives rotation and translation."""
        synthesis = self.synthesis
        convs = [layer.affine for layer in cast("list[StyledConv]", list(synthesis.layers))]
        return [affines_of([layer]) for layer in (synthesis.input.affine, *convs, synthesis.to_rgb.affine)]
