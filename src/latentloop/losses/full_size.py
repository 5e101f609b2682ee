"""Comparison of faces at full resolution, on crops of eyes, mouth and hair."""

from collections.abc import Callable

import torch
from torch import Tensor

from latentloop.images import resample
from latentloop.losses.image import LossToward

CROP = 256
"""Side of a crop, in pixels."""
CENTRES = {"left eye": (0.48, 0.37), "right eye": (0.48, 0.63), "mouth": (0.73, 0.5), "hair": (0.17, 0.37)}
"""Centres of the crops as (down, right), in shares of the image's side. FFHQ's alignment puts the eyes a quarter of a
side apart, a tenth of the way to the mouth above the middle."""


def crop_boxes(size: int) -> list[tuple[int, int]]:
    """Compute the top row and left column of each crop in images with a side of `size` pixels.

    Raises:
        ValueError: The images are smaller than a crop.
    """
    if size < CROP:
        raise ValueError(f"full-size comparison takes images of {CROP} pixels or more, not {size}")
    return [(_first(down, size), _first(right, size)) for down, right in CENTRES.values()]


def crops(image: Tensor) -> Tensor:
    """Cut the crops out of FFHQ-aligned images (N, 3, S, S); (N * crops, 3, 256, 256), image after image."""
    boxes = crop_boxes(image.shape[-1])
    return torch.stack([image[:, :, y : y + CROP, x : x + CROP] for y, x in boxes], dim=1).flatten(0, 1)


def full_size_loss(whole: LossToward, close_up: LossToward, *, weight: float, working_size: int) -> LossToward:
    """Make a loss of whole images at a working size plus a loss of crops at full size.

    The crops lie on the eyes, the mouth and the hair of an FFHQ-aligned face. They are always the same, so that the
    losses of one target can be compared.

    Args:
        whole: Loss of the images, shrunk to (N, 3, working_size, working_size).
        close_up: Loss of the crops, (N, 3, 256, 256), averaged over an image's crops.
        weight: Weight of the crops' loss.
        working_size: Side of the shrunk images, in pixels.

    Returns:
        Loss toward targets (N, 3, S, S) in [-1, 1], of images of the same shape and range, (N,).
    """

    def toward(target: Tensor) -> Callable[[Tensor], Tensor]:
        whole_of, close_up_of = whole(resample(target, working_size)), close_up(crops(target))

        def loss(image: Tensor) -> Tensor:
            of_crops = close_up_of(crops(image)).view(len(image), -1).mean(dim=1)  # (N * crops,) to (N,)
            return whole_of(resample(image, working_size)) + weight * of_crops

        return loss

    return toward


def _first(centre: float, size: int) -> int:
    """First pixel of a crop around a centre, moved inwards where the crop would leave the image."""
    return min(max(round(centre * size - CROP / 2), 0), size - CROP)
