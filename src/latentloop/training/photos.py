"""Aligned photos to learn from, in folders and tar files."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.images import decode_image, resample
from latentloop.photos.sources import PhotoSource


class Loaded(NamedTuple):
    """Photos of a batch, read into memory."""

    images: Tensor
    """Images, (N, 3, R, R) in [-1, 1]."""
    keys: list[bytes]
    """SHA-256 of the files' contents."""


@dataclass
class PhotoSet:
    """Photos in a fixed order, read on demand."""

    sources: Sequence[PhotoSource]
    resolution: int
    skipped: dict[str, str] = field(default_factory=dict)
    """Reason for each photo that could not be used so far."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise UserError("no photos to learn from")

    def __len__(self) -> int:
        return len(self.sources)

    def digest(self) -> str:
        """SHA-256 of the photos' names and sizes, in hexadecimal: other photos make another course of a run."""
        listed = "".join(f"{Path(source.name).name} {source.length()}\n" for source in self.sources)
        return hashlib.sha256(listed.encode()).hexdigest()

    def load(self, indices: Iterable[int]) -> Loaded:
        """Read photos; an unusable one is replaced by the next usable one, and `skipped` records the reason.

        Raises:
            UserError: None can be used.
        """
        images, keys = zip(*(self._usable(index) for index in indices), strict=True)
        return Loaded(torch.cat(images), list(keys))

    def _usable(self, index: int) -> tuple[Tensor, bytes]:
        for i in range(len(self)):
            source = self.sources[(index + i) % len(self)]
            if source.name in self.skipped:
                continue
            try:
                content = source.read()
                return self._aligned(content, source.name), hashlib.sha256(content).digest()
            except UserError as error:
                self.skipped[source.name] = str(error)
        raise UserError(f"none of {len(self)} photos can be used; the first: {next(iter(self.skipped.values()))}")

    def _aligned(self, content: bytes, name: str) -> Tensor:
        image = decode_image(content, name)
        height, width = image.shape[-2:]
        if height != width:
            raise UserError(f"{name}: not aligned, it is {width} x {height}; training takes square, aligned photos")
        return resample(image, self.resolution)


def mirror_key(photo: bytes) -> bytes:
    """Derive the key of a photo's mirror image from the photo's."""
    return hashlib.sha256(b"mirrored" + photo).digest()


def indices_of_batch(count: int, batch: int, step: int, *, seed: int) -> list[int]:
    """Choose the photos of a step's batch: each of `count` once per epoch, newly shuffled in each epoch."""
    places = range(step * batch, (step + 1) * batch)
    return [int(_order(count, place // count, seed)[place % count]) for place in places]


@lru_cache(maxsize=2)
def _order(count: int, epoch: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(count)
