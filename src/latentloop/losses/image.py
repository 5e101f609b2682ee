"""Losses of images. They return one value per image and the caller reduces."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

ImageLoss = Callable[[Tensor, Tensor], Tensor]  # (image, target), each (N, 3, H, W) in [-1, 1] -> (N,)
LossToward = Callable[[Tensor], Callable[[Tensor], Tensor]]  # target -> image -> (N,); looks at the target once


def pixel_loss(image: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of each image (N, 3, H, W), (N,)."""
    return F.mse_loss(image, target, reduction="none").mean(dim=(1, 2, 3))


def toward(loss: ImageLoss) -> LossToward:
    """A loss of two images (N, 3, H, W) as one toward a target: `toward(pixel_loss)(target)(image)`, (N,)."""
    return lambda target: lambda image: loss(image, target)


def weighted_sum(*terms: tuple[float, LossToward]) -> LossToward:
    """Losses added up, (N, 3, H, W) x 2 -> (N,): `weighted_sum((1.0, toward(pixel_loss)), (0.8, lpips.toward))`."""

    def total_toward(target: Tensor) -> Callable[[Tensor], Tensor]:
        losses = [(weight, loss(target)) for weight, loss in terms]
        return lambda image: torch.stack([weight * loss(image) for weight, loss in losses]).sum(dim=0)

    return total_toward
