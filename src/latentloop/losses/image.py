"""Losses of images. Each returns one value per image, (N,), which the caller reduces."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.options import check_kind

ImageLoss = Callable[[Tensor, Tensor], Tensor]  # (image, target), each (N, 3, H, W) in [-1, 1] -> (N,)
LossToward = Callable[[Tensor], Callable[[Tensor], Tensor]]  # target -> image -> (N,); target's features computed once


def pixel_loss(image: Tensor, target: Tensor) -> Tensor:
    """Compute the mean squared error of each image (N, 3, H, W) on [-1, 1], (N,)."""
    return F.mse_loss(image, target, reduction="none").mean(dim=(1, 2, 3))


def toward(loss: ImageLoss) -> LossToward:
    """Curry a loss of two images into one toward a fixed target: `toward(pixel_loss)(target)(image)`, (N,)."""
    return lambda target: lambda image: loss(image, target)


def weighted_sum(*terms: tuple[float, LossToward]) -> LossToward:
    """Add weighted losses, e.g. `weighted_sum((1.0, toward(pixel_loss)), (0.8, lpips.toward))`; each returns (N,)."""

    def total_toward(target: Tensor) -> Callable[[Tensor], Tensor]:
        check_kind("target", target, Tensor, "a tensor (N, 3, H, W) in [-1, 1]")
        losses = [(weight, loss(target)) for weight, loss in terms]
        return lambda image: torch.stack([weight * loss(image) for weight, loss in losses]).sum(dim=0)  # (N,)

    return total_toward
