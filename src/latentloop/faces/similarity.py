"""Similarity transforms: rotation, one scale and translation."""

import torch
import torch.nn.functional as F
from torch import Tensor


def fit_similarity(source: Tensor, target: Tensor) -> Tensor:
    """Least-squares similarity from points (P, 2) to points (P, 2): a (2, 3) matrix (Umeyama 1991).

    Reflections are not considered. Points are (x, y).
    """
    mean_s, mean_t = source.mean(dim=0), target.mean(dim=0)
    s, t = source - mean_s, target - mean_t
    # As complex numbers, the best rotation and scale is the regression coefficient of t on s.
    real = (s * t).sum() / s.square().sum()
    imaginary = (s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum() / s.square().sum()
    linear = torch.stack([torch.stack([real, -imaginary]), torch.stack([imaginary, real])])
    return torch.cat([linear, (mean_t - linear @ mean_s)[:, None]], dim=1)


def sample_similarity(image: Tensor, template: Tensor, points: Tensor, size: int) -> Tensor:
    """Crop (1, 3, H, W) so that `points` (P, 2) come to lie on `template` (P, 2); (1, 3, size, size).

    Points are (x, y) in pixels, the centre of the first pixel at (0, 0).
    """
    to_image = fit_similarity(template, points).to(image)
    axis = torch.arange(size, dtype=image.dtype, device=image.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    positions = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ to_image.T
    return sample_at(image, positions)


def sample_at(image: Tensor, positions: Tensor) -> Tensor:
    """Bilinear samples of (1, 3, H, W) at positions (R, C, 2), (x, y) in pixels as above; (1, 3, R, C)."""
    height, width = image.shape[-2:]
    extent = image.new_tensor([width, height])
    return F.grid_sample(image, ((2 * positions + 1) / extent - 1)[None], padding_mode="border", align_corners=False)
