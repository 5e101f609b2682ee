"""Augmentations that keep a photo the same face: alignment and lighting, on any device."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

TURN, ZOOM, SHIFT = math.radians(4), 0.05, 0.05
"""Largest rotation in radians, log change of scale, and shift in half images, at strength 1: those of a poor
alignment."""
BRIGHTNESS, CONTRAST, BALANCE = 0.15, 0.15, 0.08
"""Largest change of each at strength 1, as the logarithm of a factor; the balance is per colour channel."""
MIDTONES = 0.3
"""Largest factor k of the term k x (1 - x) added to a value x in [0, 1] at strength 1, similar to a gamma of 1.25 or
0.8."""
PLACES, LIGHTS = 4, 6
"""Number of random values per image that `jitter` and `relight` take."""


def jitter(images: Tensor, amounts: Tensor) -> Tensor:
    """Rotate, scale and shift images (N, 3, R, R) as a worse alignment would; edges are mirrored.

    Args:
        images: Images in [-1, 1]; not modified.
        amounts: Rotation, scale and shifts of each image, (N, 4) in [-1, 1]; 0 changes nothing.
    """
    turn, zoom, right, down = amounts.to(images).T
    scale = (ZOOM * zoom).exp()
    across, along = scale * (TURN * turn).cos(), scale * (TURN * turn).sin()
    # `affine_grid` maps output to input positions, from -1 to 1 over the image: shifts are in half images.
    affine = torch.stack([across, -along, SHIFT * right, along, across, SHIFT * down], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return moved.clamp(-1, 1)  # bicubic interpolation overshoots at edges


def relight(images: Tensor, amounts: Tensor) -> Tensor:
    """Change brightness, tone curve, contrast and white balance of images (N, 3, R, R).

    Args:
        images: Images in [-1, 1]; not modified.
        amounts: Brightness, midtones, contrast, red, green and blue of each image, (N, 6) in [-1, 1]; 0 changes
            nothing.
    """
    amounts = amounts.to(images)[..., None, None]
    brightness, midtones, contrast, balance = amounts.split((1, 1, 1, 3), dim=1)
    light = (images + 1) / 2
    light = light.addcmul_(light * (1 - light), MIDTONES * midtones)  # cheaper than a power
    light *= (BRIGHTNESS * brightness + BALANCE * balance).exp()
    mean = light.mean(dim=(1, 2, 3), keepdim=True)
    return light.sub_(mean).mul_((CONTRAST * contrast).exp()).add_(mean).clamp_(0, 1).mul_(2).sub_(1)
