"""Pillow images that keep the tensor from which they were made."""

from typing import Any, Self

from PIL import Image
from torch import Tensor

from latentloop.images import to_uint8


class Picture(Image.Image):
    """An 8-bit RGB Pillow image together with its unrounded tensor.

    It saves, shows and resizes as any Pillow image; the results of its methods are plain Pillow images.
    """

    tensor: Tensor
    """Unrounded values of the picture, (1, 3, H, W) in [-1, 1]; a generator's may exceed the range slightly."""

    def __getstate__(self) -> list[Any]:
        return [*super().__getstate__(), self.tensor]

    def __setstate__(self, state: list[Any]) -> None:
        *picture, self.tensor = state
        super().__setstate__(picture)

    @classmethod
    def of(cls, tensor: Tensor) -> Self:
        """Make a picture from a tensor (1, 3, H, W) or (3, H, W) in [-1, 1]."""
        tensor = tensor.detach().reshape(1, 3, *tensor.shape[-2:]).cpu()
        if tensor.is_inference():
            tensor = tensor.clone()  # tensors of inference mode cannot be used where gradients are computed
        picture = cls()
        picture.__setstate__([*Image.fromarray(to_uint8(tensor[0])).__getstate__(), tensor])
        return picture
