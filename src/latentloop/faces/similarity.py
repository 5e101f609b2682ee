"""Similarity transforms of images: rotation, uniform scale and translation."""

import torch
import torch.nn.functional as F
from torch import Tensor


def fit_similarity(source: Tensor, target: Tensor) -> Tensor:
    """Fit the least-squares similarity transform between points, a (2, 3) matrix (Umeyama 1991), without reflections.

    Args:
        source: Points (x, y), (P, 2).
        target: Their images under the transform, (P, 2).
    """
    mean_s, mean_t = source.mean(dim=0), target.mean(dim=0)
    s, t = source - mean_s, target - mean_t
    # With points as complex numbers, rotation and scale together are the regression coefficient of t on s.
    real = (s * t).sum() / s.square().sum()
    imaginary = (s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum() / s.square().sum()
    linear = torch.stack([torch.stack([real, -imaginary]), torch.stack([imaginary, real])])
    return torch.cat([linear, (mean_t - linear @ mean_s)[:, None]], dim=1)


def sample_similarity(image: Tensor, template: Tensor, points: Tensor, size: int) -> Tensor:
    """Crop an image so that some of its points lie on a template, to (1, 3, size, size).

    Args:
        image: Image, (1, 3, H, W).
        template: Points in the crop, (x, y) in pixels, (P, 2); the centre of the first pixel is (0, 0).
        points: The same points in the image, (P, 2).
        size: Side of the crop, in pixels.
    """
    to_image = fit_similarity(template, points).to(image)
    axis = torch.arange(size, dtype=image.dtype, device=image.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    positions = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ to_image.T
    return sample_at(image, positions)


def sample_at(image: Tensor, positions: Tensor) -> Tensor:
    """Sample an image bilinearly at given positions, to (1, 3, R, C).

    Args:
        image: Image, (1, 3, H, W), continued beyond its border by its outermost pixels.
        positions: (x, y) in pixels, (R, C, 2); the centre of the first pixel is (0, 0).
    """
    height, width = image.shape[-2:]
    extent = image.new_tensor([width, height])
    return F.grid_sample(image, ((2 * positions + 1) / extent - 1)[None], padding_mode="border", align_corners=False)
