"""Similarity transforms of images: a rotation, one scale and a translation."""

import torch
import torch.nn.functional as F
from torch import Tensor


def fit_similarity(source: Tensor, target: Tensor) -> Tensor:
    """Fit the least-squares similarity transform from points to points (Umeyama 1991), a (2, 3) matrix.

    Reflections are not considered.

    Args:
        source: Points (x, y), (P, 2).
        target: Where they should go, (P, 2).
    """
    mean_s, mean_t = source.mean(dim=0), target.mean(dim=0)
    s, t = source - mean_s, target - mean_t
    # As complex numbers, the best rotation and scale is the regression coefficient of t on s.
    real = (s * t).sum() / s.square().sum()
    imaginary = (s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum() / s.square().sum()
    linear = torch.stack([torch.stack([real, -imaginary]), torch.stack([imaginary, real])])
    return torch.cat([linear, (mean_t - linear @ mean_s)[:, None]], dim=1)


def sample_similarity(image: Tensor, template: Tensor, points: Tensor, size: int) -> Tensor:
    """Crop an image (1, 3, H, W) so that points of it lie on a template, to (1, 3, size, size).

    Args:
        image: The image.
        template: Where the points lie in the crop, (x, y) in pixels, (P, 2); the centre of the first pixel is (0, 0).
        points: Points of the image, alike.
        size: Pixels of the crop's side.
    """
    to_image = fit_similarity(template, points).to(image)
    axis = torch.arange(size, dtype=image.dtype, device=image.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    positions = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ to_image.T
    return sample_at(image, positions)


def sample_at(image: Tensor, positions: Tensor) -> Tensor:
    """Sample an image (1, 3, H, W) bilinearly at positions, to (1, 3, R, C).

    Args:
        image: The image; beyond its border it is continued by its outermost pixels.
        positions: (x, y) in pixels, (R, C, 2); the centre of the first pixel is (0, 0).
    """
    height, width = image.shape[-2:]
    extent = image.new_tensor([width, height])
    return F.grid_sample(image, ((2 * positions + 1) / extent - 1)[None], padding_mode="border", align_corners=False)
