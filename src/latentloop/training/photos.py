"""Aligned photos to learn from, in folders and tar files."""

import hashlib
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.images import decode_image, photo_suffixes, resample


@dataclass(frozen=True)
class PhotoSource:
    """Where a photo's bytes lie."""

    file: Path
    member: str | None = None
    """Its name in a tar file."""
    offset: int = 0
    size: int | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.file}:{self.member}" if self.member else str(self.file)

    @property
    def place(self) -> tuple[Path, str | None]:
        """The same for the same photo, however it was named."""
        return self.file.resolve(), self.member

    def length(self) -> int:
        """Of the photo, in bytes; 0 if it is missing."""
        if self.size is not None:
            return self.size
        return self.file.stat().st_size if self.file.is_file() else 0

    def read(self) -> bytes:
        """The photo's content.

        Raises:
            UserError: It cannot be read.
        """
        try:
            with self.file.open("rb") as file:
                file.seek(self.offset)
                return file.read(self.size)
        except OSError as error:
            raise UserError(f"{self.name}: cannot read it: {error.strerror or error}") from error


def photos_in_tar(path: Path) -> list[PhotoSource]:
    """The photos in an uncompressed tar file, such as a shard of WebDataset; found by their headers alone.

    Raises:
        UserError: It is no such file, or holds none.
    """
    known = photo_suffixes()
    try:
        with tarfile.open(path, "r:") as archive:
            photos = [
                PhotoSource(path, member.name, member.offset_data, member.size)
                for member in archive
                if member.isreg() and Path(member.name).suffix.lower() in known
            ]
    except (tarfile.TarError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path}: cannot read it as an uncompressed tar file: {reason}") from error
    if not photos:
        raise UserError(f"{path}: no photos in this tar file; known endings: {' '.join(sorted(known))}")
    return photos


@dataclass
class PhotoSet:
    """Photos in a fixed order, read when they are wanted."""

    sources: Sequence[PhotoSource]
    resolution: int
    skipped: dict[str, str] = field(default_factory=dict)
    """Photos that could not be used so far -> why."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise UserError("no photos to learn from")

    def __len__(self) -> int:
        return len(self.sources)

    def digest(self) -> str:
        """Of the photos' names and sizes, in hexadecimal: other photos make another course of a run."""
        listed = "".join(f"{Path(source.name).name} {source.length()}\n" for source in self.sources)
        return hashlib.sha256(listed.encode()).hexdigest()

    def load(self, indices: Iterable[int]) -> tuple[Tensor, list[bytes]]:
        """Photos (N, 3, R, R) in [-1, 1], and SHA-256 of their contents.

        In the place of one that cannot be used comes the next that can; `skipped` tells.

        Raises:
            UserError: None can be used.
        """
        images, keys = zip(*(self._usable(index) for index in indices), strict=True)
        return torch.cat(images), list(keys)

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
    """What the mirror image of a photo is known by, given what the photo is."""
    return hashlib.sha256(b"mirrored" + photo).digest()


def indices_of_batch(count: int, batch: int, step: int, *, seed: int) -> list[int]:
    """Which of `count` photos are in the batch of a step: each once an epoch, in an order of the epoch's own."""
    places = range(step * batch, (step + 1) * batch)
    return [int(_order(count, place // count, seed)[place % count]) for place in places]


@lru_cache(maxsize=2)
def _order(count: int, epoch: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(count)
