"""Doubling and averaging images and features, as StyleGAN2 does (Karras et al., arXiv:1912.04958)."""

import torch.nn.functional as F
from torch import Tensor

TAPS = (1.0, 3.0, 3.0, 1.0)
"""Taps of the low-pass filter, before they are scaled."""


def blur(x: Tensor) -> Tensor:
    """Low-pass the output of a transposed convolution of stride 2, (N, C, 2R + 1, 2R + 1) to (N, C, 2R, 2R)."""
    channels = x.shape[1]
    taps = x.new_tensor(TAPS) / 4
    kernel = (taps[:, None] * taps).expand(channels, 1, 4, 4)
    return F.conv2d(x, kernel, padding=1, groups=channels)


def upsample_image(image: Tensor) -> Tensor:
    """Double an image's size, (N, C, R, R) to (N, C, 2R, 2R), with black beyond its border."""
    # Bilinear interpolation is that filter, but for the border.
    grown = F.interpolate(F.pad(image, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
    return grown[..., 2:-2, 2:-2]


def area_average(image: Tensor, resolution: int) -> Tensor:
    """Shrink an image by averaging squares of pixels, (N, C, H, W) to (N, C, resolution, resolution)."""
    factor = image.shape[-1] // resolution
    return F.avg_pool2d(image, factor) if factor > 1 else image
