"""Store of decoded photos, in memory or on the device of a training run."""

from typing import NamedTuple

import torch
from torch import Tensor

from latentloop.devices import host_memory
from latentloop.errors import UserError
from latentloop.training.train_config import PhotosIn

SHARE = 1 / 4
"""Largest share of the machine's memory that photos may take."""
DEVICE_SHARE = 1 / 2
"""Largest share of the accelerator's free memory that photos may take."""


class Photo(NamedTuple):
    """A decoded photo with its key."""

    pixels: Tensor
    """Pixels, (3, R, R), uint8."""
    key: bytes
    """SHA-256 of the file's content."""


class PhotoStore:
    """Pixels of a set's first photos, each kept once it was read, one byte per number."""

    def __init__(self, count: int, resolution: int, device: torch.device | str = "cpu") -> None:
        """Create an empty store.

        Args:
            count: Number of photos that fit.
            resolution: Side of a photo, R, in pixels.
            device: Device of the pixels.
        """
        # On the CPU the system allocates a page when it is first written: unused room costs nothing.
        self._pixels = torch.empty(count, 3, resolution, resolution, dtype=torch.uint8, device=device)
        self._keys: list[bytes | None] = [None] * count

    @property
    def room(self) -> int:
        """Number of photos that fit into the store."""
        return len(self._keys)

    def get(self, index: int) -> Photo | None:
        """Return a photo; None if it is not stored."""
        key = self._keys[index] if index < self.room else None
        return None if key is None else Photo(self._pixels[index], key)

    def keep(self, index: int, photo: Photo) -> Photo:
        """Store a photo, if there is room; returns it with its pixels in the store."""
        if index >= self.room:
            return photo
        # From pinned memory the copy runs beside the computation.
        pinned = photo.pixels.pin_memory() if self._pixels.is_cuda else photo.pixels
        self._pixels[index].copy_(pinned, non_blocking=True)
        self._keys[index] = photo.key
        return Photo(self._pixels[index], photo.key)


def make_store(
    where: PhotosIn, count: int, resolution: int, device: torch.device, *, processes: int = 1
) -> PhotoStore | None:
    """Create a store for photos: in memory for as many as fit, possibly none; on the device for all.

    Args:
        where: Place of the photos; "disk" returns None.
        count: Number of photos.
        resolution: Side of a photo in pixels.
        device: Device of the run.
        processes: Number of the run's processes on this machine, each of which has its own store.

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
