"""Making what a generator drew look like a photo that has been through cameras, networks and resizing."""

from collections.abc import Iterable

import torch
from torch import Tensor

from latentloop.images import as_jpeg, resize

SHARE = 0.5
"""Of images that each kind of damage befalls."""
SHRINK = (1.0, 3.0)
"""Times that an image is made smaller before it is made as large again."""
NOISE = 0.06
"""Largest standard deviation, on [-1, 1]."""
QUALITY = (40, 95)
"""Of JPEG."""


def spoil(images: Tensor, seeds: Iterable[int]) -> Tensor:
    """Blur, then noise, then compression, each befalling some of the images (N, 3, R, R) in [-1, 1] by some degree.

    Neither colours nor positions change: those the code is to give back.

    Args:
        images: Not written to.
        seeds: Of what befalls each of them.
    """
    return torch.cat([_spoilt(image[None], seed) for image, seed in zip(images, seeds, strict=True)])


def _spoilt(image: Tensor, seed: int) -> Tensor:
    """One image, (1, 3, R, R)."""
    randomness, size = torch.Generator().manual_seed(seed), image.shape[-1]
    blurred, noisy, compressed = (torch.rand(3, generator=randomness) < SHARE).tolist()
    blur, noise, compression = torch.rand(3, generator=randomness).tolist()
    if blurred:
        small = max(1, round(size / (SHRINK[0] + blur * (SHRINK[1] - SHRINK[0]))))
        image = resize(resize(image, small, small), size, size)
    if noisy:
        image = image + NOISE * noise * torch.randn(image.shape, generator=randomness).to(image)
    if compressed:
        image = as_jpeg(image, quality=round(QUALITY[0] + compression * (QUALITY[1] - QUALITY[0])))
    return image.clamp(-1, 1)
