"""Layers of StyleGAN1, learning-rate gains folded into the weights (Karras et al., arXiv:1812.04948)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.generators.mapping import SLOPE

TAPS = (1.0, 2.0, 1.0)
"""Taps of StyleGAN1's low-pass filter, before normalisation."""
EPSILON = 1e-8
"""Constant added to variances before the reciprocal square root."""


def blur(x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Low-pass features (N, C, H, W), taken as zero beyond their border, and add a bias (C,)."""
    channels = x.shape[1]
    taps = x.new_tensor(TAPS) / 4
    kernel = (taps[:, None] * taps).expand(channels, 1, 3, 3)
    return F.conv2d(x, kernel, bias, padding=1, groups=channels)


def adaptive_instance_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Set the mean and standard deviation of each channel of each image (Huang & Belongie, arXiv:1703.06868).

    Args:
        x: Features, (N, C, H, W).
        scale: Standard deviations, (N, C).
        shift: Means, (N, C).
    """
    # Two passes: the mean of squares minus the squared mean would suffer cancellation. F.batch_norm of one image at
    # a time would fuse all this, but on a CPU sums channels-last tensors naively: an error of 1e-3 over 10^6 pixels.
    mean = x.mean(dim=(2, 3), keepdim=True)
    variance = F.mse_loss(x, mean.expand_as(x), reduction="none").mean(dim=(2, 3), keepdim=True)
    gain = scale[:, :, None, None] * (variance + EPSILON).rsqrt()
    return torch.addcmul(shift[:, :, None, None] - gain * mean, x, gain)


class Finish(nn.Module):
    """The end of every layer: noise, activation, and adaptive instance normalisation by a style."""

    noise_const: Tensor

    def __init__(self, w_dim: int, channels: int, resolution: int) -> None:
        super().__init__()
        self.noise_strength = nn.Parameter(torch.zeros(channels))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.affine = nn.Linear(w_dim, 2 * channels)  # scales minus 1, then shifts

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """Apply noise, activation and style to features (N, C, R, R), which are overwritten.

        Args:
            x: Features, with the bias already added.
            w: Styles, (N, w_dim).
            noise: Noise maps of unit strength, (N or 1, 1, R, R); None for no noise.
        """
        if noise is not None:
            x = x.addcmul_(self.noise_strength[:, None, None], noise)
        scale, shift = self.affine(w).chunk(2, dim=1)
        return adaptive_instance_norm(F.leaky_relu_(x, SLOPE), scale + 1, shift)


class StyledConstant(nn.Module):
    """The first layer: a learned constant in place of a convolution."""

    def __init__(self, w_dim: int, channels: int) -> None:
        super().__init__()
        self.const = nn.Parameter(torch.randn(channels, 4, 4))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.finish = Finish(w_dim, channels, 4)

    def forward(self, w: Tensor, noise: Tensor | None) -> Tensor:
        """Compute features (N, C, 4, 4) from styles (N, w_dim) and noise (N or 1, 1, 4, 4)."""
        x: Tensor = self.const + self.bias[:, None, None]
        x = self.finish(x.expand(w.shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last), w, noise)
        return x  # noqa: RET504 - the assignment gives the module's Any its type


class StyledConv(nn.Module):
    """A 3x3 convolution, then noise, activation and style."""

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.finish = Finish(w_dim, out_channels, resolution)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """Map features (N, in_channels, R, R) to (N, out_channels, R, R), with styles (N, w_dim) and noise."""
        x = self.finish(F.conv2d(x, self.weight, self.bias, padding=1), w, noise)
        return x  # noqa: RET504 - the assignment gives the module's Any its type


class StyledUpConv(nn.Module):
    """Nearest-neighbour upsampling, a 3x3 convolution and a low-pass filter, then noise, activation and style.

    Upsampling and convolution are fused to one transposed convolution with a 4x4 kernel. Its weights have PyTorch's
    order for transposed convolutions, (in_channels, out_channels, 3, 3), rotated by 180 degrees.
    """

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(in_channels, out_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.finish = Finish(w_dim, out_channels, resolution)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """Map features (N, in_channels, R/2, R/2) to (N, out_channels, R, R), with styles (N, w_dim) and noise."""
        # Each pixel becomes 2 x 2 equal ones, so the fused kernel is the sum of four shifted copies: 3 x 3 to 4 x 4.
        kernel = 4 * F.avg_pool2d(self.weight, 2, stride=1, padding=1)
        x = F.conv_transpose2d(x, kernel, stride=2, padding=1)
        x = self.finish(blur(x, self.bias), w, noise)
        return x  # noqa: RET504 - the assignment gives the module's Any its type
