"""Converting pictures that users pass as files, Pillow images, arrays or tensors."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from latentloop.defaults import MAX_PIXELS
from latentloop.hub import refuse_photo_address
from latentloop.images import from_pillow, from_uint8, read_image

PictureLike = str | os.PathLike[str] | Image.Image | npt.NDArray[np.uint8] | Tensor
"""Types that `as_image` accepts as a picture."""


def as_image(picture: PictureLike, *, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Convert a picture to a tensor (1, 3, H, W) in [-1, 1].

    Args:
        picture: Path of an image file, a Pillow image, an array (H, W, 3) of uint8, or a tensor (3, H, W) or
            (1, 3, H, W) of floats in [-1, 1] or of uint8.
        max_pixels: Largest number of pixels of a file.

    Raises:
        UserError: The file cannot be used.
        TypeError: The picture is of another kind.
        ValueError: The array or tensor has another shape, type or range.
    """
    if isinstance(picture, str | os.PathLike):
        refuse_photo_address(picture)
        return read_image(Path(picture), max_pixels=max_pixels)
    if isinstance(picture, Image.Image):
        return from_pillow(picture)
    if isinstance(picture, Tensor):
        return _of_tensor(picture)
    array: object = picture
    if not isinstance(array, np.ndarray):
        kind = type(picture).__name__
        raise TypeError(f"a picture must be a path, a Pillow image, an array or a tensor, got a {kind}")
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"an array must be (H, W, 3) of uint8, got {array.shape} of {array.dtype}")
    return from_uint8(np.array(array, order="C"))


def _of_tensor(tensor: Tensor) -> Tensor:
    if tensor.shape[:-2] not in ((3,), (1, 3)):
        raise ValueError(f"a tensor must be (3, H, W) or (1, 3, H, W), got {tuple(tensor.shape)}")
    image = tensor.detach().cpu().reshape(1, 3, *tensor.shape[-2:])
    if image.dtype == torch.uint8:
        return image.float() / 127.5 - 1
    if not image.numel():
        raise ValueError(f"a tensor must have pixels, got {tuple(tensor.shape)}")
    if not image.is_floating_point() or not image.isfinite().all() or image.abs().max() > 2:
        raise ValueError("a tensor must have floats in [-1, 1], or uint8")
    return image.float()
