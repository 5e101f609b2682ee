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
"""Number of photos that are decoded at a time."""


class Loaded(NamedTuple):
    """Photos of a batch, read into memory."""

    images: Tensor
    """Images, (N, 3, R, R) in [-1, 1]."""
    keys: list[bytes]
    """SHA-256 of the files' contents."""


@dataclass
class PhotoSet:
    """Photos in a fixed order, read on demand, and only once where there is a store for them."""

    sources: Sequence[PhotoSource]
    resolution: int
    skipped: dict[str, str] = field(default_factory=dict)
    """Reason for each photo that could not be used so far."""
    store: PhotoStore | None = None
    """Store that keeps photos once they are read; None to read them each time."""
    device: torch.device = CPU
    """Device of the images."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise UserError("no photos to learn from")

    def __len__(self) -> int:
        return len(self.sources)

    def digest(self) -> str:
        """SHA-256 of the photos' names and sizes, in hexadecimal: other photos make another course of a run."""
        listed = "".join(f"{Path(source.name).name} {source.length()}\n" for source in self.sources)
        return hashlib.sha256(listed.encode(errors="surrogatepass")).hexdigest()  # names need not be UTF-8

    def load(self, indices: Iterable[int]) -> Loaded:
        """Read photos; an unusable one is replaced by the next usable one, and `skipped` records the reason.

        Photos of another size are resized and rounded to 8 bits.

        Raises:
            UserError: None can be used.
        """
        wanted = list(indices)
        self._read_together(wanted, read := dict[int, Photo]())
        photos = [self._usable(index, read) for index in wanted]
        pixels = onto(torch.stack([photo.pixels for photo in photos]), self.device)
        return Loaded(pixels.float().div_(127.5).sub_(1), [photo.key for photo in photos])

    def batches(self, size: int) -> Iterator[tuple[list[str], Tensor]]:
        """Read all photos in order, `size` at a time; yields their names, of those in a tar file there, and images.

        Raises:
            UserError: None can be used.
        """
        for first in range(0, len(self), size):
            indices = range(first, min(first + size, len(self)))
            yield [self.sources[i].member or self.sources[i].name for i in indices], self.load(indices).images

    def _read_together(self, indices: Sequence[int], read: dict[int, Photo]) -> None:
        """Read those photos that are neither kept nor skipped, several at a time, into `read`."""
        new = [i for i in dict.fromkeys(indices) if self._kept(i) is None and self.sources[i].name not in self.skipped]
        with ThreadPoolExecutor(THREADS, "decode") as threads:
            reading = [threads.submit(self._aligned, self.sources[i]) for i in new]
            for index, photo in zip(new, reading, strict=True):
                with self._skipping(index):
                    read[index] = self._keep(index, photo.result())

    def _usable(self, index: int, read: dict[int, Photo]) -> Photo:
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
    """Derive the key of a photo's mirror image from the photo's."""
    return hashlib.sha256(b"mirrored" + photo).digest()


def weights_of(sources: Sequence[PhotoSource], weights: Mapping[str, float]) -> list[float]:
    """Give each photo the weight of the last text that its name or the names just around it contain, else 1.

    These are a file's folder; of a photo in a tar file, also its name and folder there. From wherever a run is resumed,
    they are the same.

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
        weights: How often each is chosen, as a ratio: each time anew then, without epochs.
    """
    if weights is not None:
        chances = np.array(weights) / sum(weights)
        return [int(i) for i in np.random.default_rng([seed, step]).choice(count, batch, p=chances)]
    places = range(step * batch, (step + 1) * batch)
    return [int(_order(count, place // count, seed)[place % count]) for place in places]


@lru_cache(maxsize=2)
def _order(count: int, epoch: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(count)
