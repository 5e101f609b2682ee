"""Decoded photos, kept in memory or on the device of a training run."""

from typing import NamedTuple

import torch
from torch import Tensor

from latentloop.devices import host_memory
from latentloop.errors import UserError
from latentloop.training.train_config import PhotosIn

SHARE = 1 / 4
"""Largest share of the machine's memory that photos take."""
DEVICE_SHARE = 1 / 2
"""Largest share of the accelerator's free memory that photos take."""


class Photo(NamedTuple):
    """A photo as it is learned from."""

    pixels: Tensor
    """Pixels, (3, R, R), uint8."""
    key: bytes
    """SHA-256 of the file's content."""


class PhotoStore:
    """Pixels of the first photos of a set, each kept from when it is first read: a byte a number."""

    def __init__(self, count: int, resolution: int, device: torch.device | str = "cpu") -> None:
        """Begin empty.

        Args:
            count: Number of photos that there is room for.
            resolution: Side of a photo, R, in pixels.
            device: Device of the pixels.
        """
        # On the CPU the memory of a photo is taken when it is written.
        self._pixels = torch.empty(count, 3, resolution, resolution, dtype=torch.uint8, device=device)
        self._keys: list[bytes | None] = [None] * count

    @property
    def room(self) -> int:
        """Number of photos that there is room for."""
        return len(self._keys)

    def get(self, index: int) -> Photo | None:
        """Return a photo; None if it has not been kept."""
        key = self._keys[index] if index < self.room else None
        return None if key is None else Photo(self._pixels[index], key)

    def keep(self, index: int, photo: Photo) -> Photo:
        """Keep a photo, if there is room for it; returns it where it lies now."""
        if index >= self.room:
            return photo
        pinned = photo.pixels.pin_memory() if self._pixels.is_cuda else photo.pixels
        self._pixels[index].copy_(pinned, non_blocking=True)
        self._keys[index] = photo.key
        return Photo(self._pixels[index], photo.key)


def make_store(
    where: PhotosIn, count: int, resolution: int, device: torch.device, *, processes: int = 1
) -> PhotoStore | None:
    """Make a store for photos: in memory as many as fit, which may be none; on the device all.

    Args:
        where: Place of the photos; None is made for the disk.
        count: Number of photos.
        resolution: Side of a photo in pixels.
        device: Device of the run.
        processes: Number of processes of the run on this machine, each of which has a store.

    Raises:
        UserError: The photos do not fit on the device.
    """
    if where == "disk":
        return None
    size = 3 * resolution**2
    if where == "device" and device.type == "cuda":
        if count * size > DEVICE_SHARE * torch.cuda.mem_get_info(device)[0]:
            problem = f"{count} photos take {count * size / 1e9:.1f} GB, too much for {device}"
            raise UserError(problem, arguments="photos_in")
        return PhotoStore(count, resolution, device)
    return PhotoStore(min(count, int(SHARE * host_memory() / processes / size)), resolution)
