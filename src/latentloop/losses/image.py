"""Losses of images. They return one value per image and the caller reduces."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

ImageLoss = Callable[[Tensor, Tensor], Tensor]  # (image, target), each (N, 3, H, W) in [-1, 1] -> (N,)


def pixel_loss(image: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of each image (N, 3, H, W), (N,)."""
    return F.mse_loss(image, target, reduction="none").mean(dim=(1, 2, 3))


def weighted_sum(*terms: tuple[float, ImageLoss]) -> ImageLoss:
    """Image losses added up, each (N, 3, H, W) x 2 -> (N,): `weighted_sum((1.0, pixel_loss), (0.8, lpips))`."""
    return lambda image, target: torch.stack([weight * loss(image, target) for weight, loss in terms]).sum(dim=0)
