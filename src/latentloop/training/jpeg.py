"""JPEG compression of image batches on any device, with the losses of a real file (ITU-T T.81)."""

import math
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

LUMINANCE = """
16 11 10 16 24 40 51 61  12 12 14 19 26 58 60 55  14 13 16 24 40 57 69 56  14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77  24 35 55 64 81 104 113 92  49 64 78 87 103 121 120 101  72 92 95 98 112 100 103 99
"""
"""Luminance quantisation steps at quality 50, row by row: the example table of ITU-T T.81, Annex K, which libjpeg
uses."""
CHROMINANCE = f"17 18 24 47 {'99 ' * 4} 18 21 26 66 {'99 ' * 4} 24 26 56 {'99 ' * 5} 47 66 {'99 ' * 6} {'99 ' * 32}"
"""Chrominance quantisation steps at quality 50, from the same annex."""
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
"""Matrix from RGB to YCbCr (JFIF), without the offset of 128."""
BLOCK = 8
"""Side of a block in pixels; chrominance is subsampled by 2, so one of its blocks covers 16 x 16 pixels."""


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Compress images as JPEG with 4:2:0 subsampling, and decode them again.

    The result has no useful gradient: rounding is not differentiable.

    Args:
        images: Images (N, 3, H, W) in [-1, 1]; not modified.
        quality: Quality of each image as in libjpeg, 1 to 100; (N,).
    """
    size, tables = images.shape[-2:], _tables(images.device)
    # Rounded wherever encoders and decoders have integers: pixels, YCbCr, subsampled colours, decoded planes, RGB.
    pixels = ((images.float().clamp(-1, 1) + 1) * 127.5).round()
    # Whole blocks of 16 x 16 pixels, filled up with the edge as encoders do.
    pixels = F.pad(pixels, (0, -size[1] % (2 * BLOCK), 0, -size[0] % (2 * BLOCK)), mode="replicate")
    brightness, colours = torch.einsum("ij,njhw->nihw", tables.to_ycc, pixels).round().split((1, 2), dim=1)
    # Luminance is shifted to signed values; chrominance is signed already.
    brightness = _quantised(brightness - 128, _steps(tables.luminance, quality), tables.cosines) + 128
    colours = _quantised(F.avg_pool2d(colours, 2).round(), _steps(tables.chrominance, quality), tables.cosines)
    colours = F.interpolate(colours, scale_factor=2, mode="bilinear", align_corners=False)
    planes = torch.cat([brightness.clamp(0, 255), colours.clamp(-128, 127)], dim=1)
    decoded = torch.einsum("ij,njhw->nihw", tables.to_rgb, planes).round().clamp(0, 255)
    return (decoded / 127.5 - 1)[..., : size[0], : size[1]].to(images)


class _Tables(NamedTuple):
    to_ycc: Tensor
    to_rgb: Tensor
    luminance: Tensor
    chrominance: Tensor
    cosines: Tensor
    """Orthogonal cosine transform, (8, 8), one frequency per row."""


@lru_cache
def _tables(device: torch.device) -> _Tables:
    """Return all constants on a device; cached, since each transfer makes CUDA wait."""
    to_ycc = torch.tensor(TO_YCC)
    steps = [torch.tensor([float(step) for step in table.split()]) for table in (LUMINANCE, CHROMINANCE)]
    place, frequency = torch.arange(BLOCK) + 0.5, torch.arange(BLOCK)[:, None]
    # DCT-II, orthonormal, so that its transpose is its inverse.
    cosines = (math.pi / BLOCK * frequency * place).cos() * math.sqrt(2 / BLOCK)
    cosines = torch.where(frequency == 0, cosines / math.sqrt(2), cosines)
    tables = (to_ycc, torch.linalg.inv(to_ycc), *(step.view(BLOCK, BLOCK) for step in steps), cosines)
    return _Tables(*(table.to(device) for table in tables))


def _steps(table: Tensor, quality: Tensor) -> Tensor:
    """Scale the steps of quality 50 for each image, (N, 1, 1, 1, 8, 8), by libjpeg's rule."""
    quality = quality.float().round().clamp(1, 100)
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).floor().view(-1, 1, 1)
    return ((table * percent + 50) / 100).floor().clamp(1, 255)[:, None, None, None]


def _quantised(planes: Tensor, steps: Tensor, cosines: Tensor) -> Tensor:
    """Quantise the cosine transform of each block of planes (N, C, H, W)."""
    blocks = planes.unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK)).transpose(3, 4)
    frequencies = (cosines @ blocks @ cosines.T / steps).round() * steps
    planes = (cosines.T @ frequencies @ cosines).transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return planes.round()
