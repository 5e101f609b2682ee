"""Layers of StyleGAN1 (Karras et al., arXiv:1812.04948), equalised learning rates folded into the weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.generators.mapping import SLOPE

TAPS = (1.0, 2.0, 1.0)
"""Taps of the low-pass filter, before they are scaled."""
EPSILON = 1e-8
"""Constant added to a variance before its root is taken."""


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
        kernel = 4 * F.avg_pool2d(self.weight, 2, stride=1, padding=1)
        x = F.conv_transpose2d(x, kernel, stride=2, padding=1)
        x = self.finish(blur(x, self.bias), w, noise)
        return x  # noqa: RET504 - the assignment gives the module's Any its type
