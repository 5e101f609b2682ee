"""Aligned photos to learn from, in folders and tar files."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentloop.devices import onto
from latentloop.errors import UserError
from latentloop.images import decode_image, resample, to_uint8
from latentloop.photos.sources import PhotoSource
from latentloop.training.photo_store import Photo, PhotoStore

CPU = torch.device("cpu")
THREADS = min(16, os.cpu_count() or 1)
"""Number of photos decoded in parallel."""


class Loaded(NamedTuple):
    """Photos of a batch, in memory."""

    images: Tensor
    """Images, (N, 3, R, R) in [-1, 1]."""
    keys: list[bytes]
    """SHA-256 of the files' contents."""


@dataclass
class PhotoSet:
    """Photos in a fixed order, read on demand; a store keeps those that were read."""

    sources: Sequence[PhotoSource]
    resolution: int
    skipped: dict[str, str] = field(default_factory=dict)
    """Error message of each unusable photo so far, by its name."""
    store: PhotoStore | None = None
    """Store of decoded photos; None reads them each time."""
    device: torch.device = CPU
    """Device of the images."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise UserError("no photos to learn from")

    def __len__(self) -> int:
        return len(self.sources)

    def digest(self) -> str:
        """Return a SHA-256 over the photos' names and sizes, in hexadecimal, which identifies the set."""
        listed = "".join(f"{Path(source.name).name} {source.length()}\n" for source in self.sources)
        # Contents would take hours to read; names and sizes catch what happens in practice. Names need not be UTF-8.
        return hashlib.sha256(listed.encode(errors="surrogatepass")).hexdigest()

    def load(self, indices: Iterable[int]) -> Loaded:
        """Read photos; an unusable one is replaced by the next usable one, and `skipped` records the error.

        Photos of another size are resized and rounded to 8 bits.

        Raises:
            UserError: No photo can be used.
        """
        wanted = list(indices)
        self._read_together(wanted, read := dict[int, Photo]())
        photos = [self._usable(index, read) for index in wanted]
        # uint8 on the way to the device: a quarter of the bytes of float32.
        pixels = onto(torch.stack([photo.pixels for photo in photos]), self.device)
        return Loaded(pixels.float().div_(127.5).sub_(1), [photo.key for photo in photos])

    def batches(self, size: int) -> Iterator[tuple[list[str], Tensor]]:
        """Read all photos in order, `size` at a time; yields names (within a tar file, its members') and images.

        Raises:
            UserError: No photo can be used.
        """
        for first in range(0, len(self), size):
            indices = range(first, min(first + size, len(self)))
            yield [self.sources[i].member or self.sources[i].name for i in indices], self.load(indices).images

    def _read_together(self, indices: Sequence[int], read: dict[int, Photo]) -> None:
        """Read the photos that are neither stored nor skipped into `read`, several in parallel."""
        new = [i for i in dict.fromkeys(indices) if self._kept(i) is None and self.sources[i].name not in self.skipped]
        # Threads suffice: Pillow decodes without holding Python's lock.
        with ThreadPoolExecutor(THREADS, "decode") as threads:
            reading = [threads.submit(self._aligned, self.sources[i]) for i in new]
            for index, photo in zip(new, reading, strict=True):
                with self._skipping(index):
                    read[index] = self._keep(index, photo.result())

    def _usable(self, index: int, read: dict[int, Photo]) -> Photo:
        # The next usable photo in order, so that a resumed run replaces it by the same one.
        for i in range(len(self)):
            place = (index + i) % len(self)
            if self.sources[place].name in self.skipped:
                continue
            if photo := read.get(place) or self._kept(place):
                return photo
            with self._skipping(place):
                return self._keep(place, self._aligned(self.sources[place]))
        raise UserError(f"none of {len(self)} photos can be used; the first: {next(iter(self.skipped.values()))}")

    def _kept(self, index: int) -> Photo | None:
        return self.store.get(index) if self.store else None

    def _keep(self, index: int, photo: Photo) -> Photo:
        return self.store.keep(index, photo) if self.store else photo

    @contextmanager
    def _skipping(self, index: int) -> Iterator[None]:
        try:
            yield
        except UserError as error:
            self.skipped[self.sources[index].name] = str(error)

    def _aligned(self, source: PhotoSource) -> Photo:
        content, name = source.read(), source.name
        image = decode_image(content, name)
        height, width = image.shape[-2:]
        if height != width:
            raise UserError(f"{name}: not aligned, it is {width} x {height}; training takes square, aligned photos")
        pixels = torch.from_numpy(to_uint8(resample(image, self.resolution)[0]))
        return Photo(pixels.permute(2, 0, 1).contiguous(), hashlib.sha256(content).digest())


def mirror_key(photo: bytes) -> bytes:
    """Derive the key of a photo's mirror image from the photo's key."""
    return hashlib.sha256(b"mirrored" + photo).digest()


def weights_of(sources: Sequence[PhotoSource], weights: Mapping[str, float]) -> list[float]:
    """Return the sampling weight of each photo: that of the last text contained in its path, 1 without a match.

    Only the file's name and folder are searched, and a photo's path within a tar file, so that weights do not depend on
    the working directory that a run is resumed from.

    Raises:
        UserError: A text is in no path, or all weights are 0.
    """
    found = [1.0] * len(sources)
    for text, weight in weights.items():
        meant = [i for i, source in enumerate(sources) if text in _named(source)]
        if not meant:
            raise UserError(f"no photo to learn from has {text!r} in its path", arguments="weights")
        for i in meant:
            found[i] = weight
    if not any(found):
        raise UserError("all photos have weight 0: nothing is left to learn from", arguments="weights")
    return found


def _named(source: PhotoSource) -> str:
    return "/".join([*source.file.absolute().parts[-2:], source.member or ""])


def indices_of_batch(
    count: int, batch: int, step: int, *, seed: int, weights: Sequence[float] | None = None
) -> list[int]:
    """Choose the photos of a step's batch: each of `count` once per epoch, newly shuffled in each epoch.

    Args:
        count: Number of photos.
        batch: Number of photos in a batch.
        step: Number of the step.
        seed: Seed of the order.
        weights: Relative sampling frequencies; photos are then drawn independently, without epochs.
    """
    if weights is not None:
        chances = np.array(weights) / sum(weights)
        return [int(i) for i in np.random.default_rng([seed, step]).choice(count, batch, p=chances)]
    # A function of the step alone: a resumed run needs no sampler state, and batches may span two epochs.
    places = range(step * batch, (step + 1) * batch)
    return [int(_order(count, place // count, seed)[place % count]) for place in places]


@lru_cache(maxsize=2)  # a batch may span two epochs
def _order(count: int, epoch: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(count)
