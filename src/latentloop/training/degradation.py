"""Making what a generator drew look like a photo that has been through cameras, networks and resizing."""

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
"""Numbers that `degrade_together` takes for each image."""


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


def degrade_together(images: Tensor, numbers: Tensor, noise: Tensor) -> Tensor:
    """Degrade a batch on its device as `degrade` does; its blur is a Gaussian as wide as shrinking makes it.

    Args:
        images: (N, 3, R, R) in [-1, 1]; not written to.
        numbers: Uniform random numbers from 0 to 1, (N, 6): whether each kind befalls an image, then how much of it.
        noise: Normal random numbers, (N, 3, R, R).
    """
    befallen, (blur, loud, compression) = (numbers[:, :3] < SHARE).T[..., None, None, None], numbers[:, 3:].T
    shrinking = SHRINK[0] + blur * (SHRINK[1] - SHRINK[0])
    images = torch.where(befallen[0], _blurred(images, ((shrinking.square() - 1) / 3).sqrt()), images)
    images = torch.where(befallen[1], images + NOISE * loud.view(-1, 1, 1, 1) * noise, images)
    quality = QUALITY[0] + compression * (QUALITY[1] - QUALITY[0])
    return torch.where(befallen[2], jpeg(images, quality), images).clamp(-1, 1)


def _blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur images with Gaussians of some standard deviations in pixels, (N,)."""
    place = torch.arange(images.shape[-1], device=images.device)
    away = (place[:, None] - place) / sigma.clamp_min(1e-3).view(-1, 1, 1, 1)
    weights = torch.softmax(-away.square() / 2, dim=-1).to(images)
    return weights @ images @ weights.mT
