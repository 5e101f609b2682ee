"""Resampling of images and features by factors of two, as in StyleGAN2 (Karras et al., arXiv:1912.04958)."""

import torch.nn.functional as F
from torch import Tensor

TAPS = (1.0, 3.0, 3.0, 1.0)
"""Taps of StyleGAN2's low-pass filter, before normalisation."""


def blur(x: Tensor) -> Tensor:
    """Low-pass the output of a transposed convolution of stride 2, (N, C, 2R + 1, 2R + 1) to (N, C, 2R, 2R)."""
    channels = x.shape[1]
    # The taps sum to 2, not 1: a transposed convolution of stride 2 reaches only every second place along each axis.
    taps = x.new_tensor(TAPS) / 4
    kernel = (taps[:, None] * taps).expand(channels, 1, 4, 4)
    return F.conv2d(x, kernel, padding=1, groups=channels)


def upsample_image(image: Tensor) -> Tensor:
    """Double an image's size, (N, C, R, R) to (N, C, 2R, 2R), taken as 0 beyond its border."""
    # Bilinear interpolation by 2 has the weights 1/4 and 3/4, those of the filter; only the border differs.
    grown = F.interpolate(F.pad(image, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
    return grown[..., 2:-2, 2:-2]


def area_average(image: Tensor, resolution: int) -> Tensor:
    """Shrink an image by averaging square blocks of pixels, (N, C, H, W) to (N, C, resolution, resolution)."""
    factor = image.shape[-1] // resolution
    return F.avg_pool2d(image, factor) if factor > 1 else image
