"""Degradation of generated images, so that they resemble photos that were resized, noisy and compressed."""

from collections.abc import Iterable

import torch
from torch import Tensor

from latentloop.images import as_jpeg, resize
from latentloop.training.jpeg import jpeg

SHARE = 0.5
"""Probability of each kind of degradation."""
SHRINK = (1.0, 3.0)
"""Range of the factor by which an image is shrunk before it is enlarged again."""
NOISE = 0.06
"""Largest standard deviation of the noise, on [-1, 1]."""
QUALITY = (40, 95)
"""Range of the JPEG quality."""
AMOUNTS = 6
"""Number of random values per image that `degrade_together` takes."""


def degrade(images: Tensor, seeds: Iterable[int]) -> Tensor:
    """Blur, add noise, and compress images, each with probability `SHARE` and by a random amount.

    Colours and positions are kept, since the code must reproduce them.

    Args:
        images: Images (N, 3, R, R) in [-1, 1]; not modified.
        seeds: Random seed of each image.
    """
    return torch.cat([_degraded(image[None], seed) for image, seed in zip(images, seeds, strict=True)])


def _degraded(image: Tensor, seed: int) -> Tensor:
    """Degrade one image, (1, 3, R, R)."""
    randomness, size = torch.Generator().manual_seed(seed), image.shape[-1]
    # All numbers are drawn before any is used, so that the amounts do not depend on which kinds were chosen.
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


def degrade_together(images: Tensor, numbers: Tensor, noise: Tensor) -> Tensor:
    """Degrade a batch on its device like `degrade`; the blur is a Gaussian of the same variance as shrinking.

    Args:
        images: Images (N, 3, R, R) in [-1, 1]; not modified.
        numbers: Uniform random numbers in [0, 1], (N, 6): which kinds are applied, then how strongly.
        noise: Normal random numbers, (N, 3, R, R).
    """
    befallen, (blur, loud, compression) = (numbers[:, :3] < SHARE).T[..., None, None, None], numbers[:, 3:].T
    shrinking = SHRINK[0] + blur * (SHRINK[1] - SHRINK[0])
    # `resize` filters with a triangle of half-width s pixels, variance s^2 / 6, both when it shrinks by s and when it
    # enlarges again; 1/3 is taken off so that s = 1 changes nothing.
    images = torch.where(befallen[0], _blurred(images, ((shrinking.square() - 1) / 3).sqrt()), images)
    images = torch.where(befallen[1], images + NOISE * loud.view(-1, 1, 1, 1) * noise, images)
    quality = QUALITY[0] + compression * (QUALITY[1] - QUALITY[0])
    return torch.where(befallen[2], jpeg(images, quality), images).clamp(-1, 1)


def _blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur images with Gaussians of given standard deviations in pixels, (N,)."""
    place = torch.arange(images.shape[-1], device=images.device)
    away = (place[:, None] - place) / sigma.clamp_min(1e-3).view(-1, 1, 1, 1)
    weights = torch.softmax(-away.square() / 2, dim=-1).to(images)  # a normalized Gaussian per row, also at the edges
    return weights @ images @ weights.mT
