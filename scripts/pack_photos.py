"""Pack photos for training so small that they can be sent along with the code.

    python scripts/pack_photos.py "faces/*.tar" --out packed --limit 30
    python scripts/pack_photos.py held-out.tar --out packed --name held-out --quality 95 --format webp

writes packed/photos-1.tar.gz, photos-2.tar.gz ... with all photos at 256 pixels, in random order, so that each piece
stands for all. Their names stay, so that latentloop train --weights knows their sources. What `latentloop train` takes
are plain tar files: gunzip them. (A tar file's headers would be a fifth of all; compressed they are next to nothing.)
"""

import gzip
import io
import os
import random
import sys
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from PIL import Image

from latentloop.errors import UserError
from latentloop.images import decode_image, resample, to_uint8
from latentloop.photos.find import find_training_photos
from latentloop.photos.sources import PhotoSource
from latentloop.training.photos import weights_of
from latentloop.training.train_config import TrainConfig

MIB = 1 << 20
SAMPLE = 120
"""Photos by which the quality is chosen."""
QUALITIES = range(5, 96)
HEADER = 40
"""About what a name takes in a compressed tar file, in bytes."""
MARGIN = 0.98
"""Share of the limit that the sample may come to."""
OPTIONS = {"avif": {"speed": 6}, "webp": {"method": 4}}


@dataclass(frozen=True)
class Pack:
    """Compress photos until all fit."""

    photos: tyro.conf.Positional[tuple[str, ...]]
    """Square, aligned photos: folders, quoted globs, tar files."""
    out: Path
    """Folder for the pieces."""
    name: str = "photos"
    """Beginning of the pieces' names."""
    limit: float = 36.0
    """Most that all may take, in MiB."""
    piece: float = 14.0
    """Most that a piece may take, in MiB."""
    size: int = 256
    """Side of a photo in pixels."""
    format: Literal["avif", "webp"] = "avif"
    """AVIF is smaller by a quarter; WebP is ten times as quick."""
    quality: int | None = None
    """Quality; by default the best with which all fit."""
    keep: tuple[str, ...] = ()
    """Shares of photos to keep, such as generated=0.3 for those with the text in their path; all others are kept."""

    def run(self) -> list[Path]:
        """Write the pieces; returns their paths."""
        sources = find_training_photos(self.photos)
        shares = weights_of(sources, TrainConfig(weights=self.keep).photo_weights)
        randomness = random.Random(0)  # noqa: S311 - an order
        kept = [source for source, share in zip(sources, shares, strict=True) if randomness.random() < share]
        randomness.shuffle(kept)
        quality = self.quality or self._best_quality(kept)
        self.out.mkdir(parents=True, exist_ok=True)
        for earlier in self.out.glob(f"{self.name}-*.tar.gz"):
            earlier.unlink()
        pieces = list(self._write(kept, quality))
        total = sum(piece.stat().st_size for piece in pieces)
        print(f"{len(kept)} photos, {self.format} quality {quality}: {total / MIB:.2f} MiB in {len(pieces)} pieces")
        return pieces

    def _best_quality(self, sources: Sequence[PhotoSource]) -> int:
        """The largest quality with which a sample promises that all fit."""
        sample = sources[:SAMPLE]  # they are in random order
        most = MARGIN * self.limit * MIB * len(sample) / len(sources)
        low, high = QUALITIES[0], QUALITIES[-1]
        while low < high:
            middle = (low + high + 1) // 2
            taken = sum(len(content) + HEADER for content in self._encoded(sample, middle))
            low, high = (middle, high) if taken <= most else (low, middle - 1)
        return low

    def _write(self, sources: Sequence[PhotoSource], quality: int) -> Iterator[Path]:
        for number, piece in enumerate(self._pieces(zip(sources, self._encoded(sources, quality), strict=True)), 1):
            path = self.out / f"{self.name}-{number}.tar.gz"
            with gzip.open(path, "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
                for source, content in piece:
                    stem = Path(source.member or source.file.name).stem
                    member = tarfile.TarInfo(f"{stem}.{self.format}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
            print(path, flush=True)
            yield path

    def _pieces(self, photos: Iterable[tuple[PhotoSource, bytes]]) -> Iterator[list[tuple[PhotoSource, bytes]]]:
        piece: list[tuple[PhotoSource, bytes]] = []
        size = 0
        for source, content in photos:
            if piece and size + len(content) + HEADER > MARGIN * self.piece * MIB:
                yield piece
                piece, size = [], 0
            piece.append((source, content))
            size += len(content) + HEADER
        if piece:
            yield piece

    def _encoded(self, sources: Sequence[PhotoSource], quality: int) -> Iterator[bytes]:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            yield from threads.map(lambda source: self._encode(source, quality), sources)

    def _encode(self, source: PhotoSource, quality: int) -> bytes:
        photo, file = decode_image(source.read(), source.name), io.BytesIO()
        if photo.shape[-2] != photo.shape[-1]:
            raise UserError(f"{source.name}: not square; training takes square, aligned photos")
        image = resample(photo, self.size)
        Image.fromarray(to_uint8(image[0])).save(file, self.format, quality=quality, **OPTIONS[self.format])
        return file.getvalue()


if __name__ == "__main__":
    try:
        tyro.cli(Pack).run()
    except UserError as error:
        sys.exit(str(error))
