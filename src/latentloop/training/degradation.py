"""Making what a generator drew look like a photo that has been through cameras, networks and resizing."""

from collections.abc import Iterable

import torch
from torch import Tensor

from latentloop.images import as_jpeg, resize

SHARE = 0.5
"""Probability of each kind of degradation."""
SHRINK = (1.0, 3.0)
"""Range of the factor by which an image is shrunk before it is enlarged again."""
NOISE = 0.06
"""Largest standard deviation of the noise, on [-1, 1]."""
QUALITY = (40, 95)
"""Range of the JPEG quality."""


def degrade(images: Tensor, seeds: Iterable[int]) -> Tensor:
    """Blur, then add noise, then compress, each with probability `SHARE` and by a random amount.

    Colours and positions, which the code has to give back, stay as they are.

    Args:
        images: (N, 3, R, R) in [-1, 1]; not written to.
        seeds: One for each image.
    """
    return torch.cat([_degraded(image[None], seed) for image, seed in zip(images, seeds, strict=True)])


def _degraded(image: Tensor, seed: int) -> Tensor:
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
