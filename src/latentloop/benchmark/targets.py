"""Images of a benchmark, read and aligned only if a code must be computed or measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from torch import Tensor

from latentloop.errors import UserError
from latentloop.faces import AlignedFace, FaceDetector, align_faces, already_aligned
from latentloop.files import sha256_of
from latentloop.images import read_image, resample


@dataclass(frozen=True)
class Aligner:
    """Converts image files to targets."""

    detector: FaceDetector | None
    """Face detector; None if the images are aligned already."""
    size: int
    """Side of the aligned face, in pixels."""
    small: int
    """Side of the images that methods compare, in pixels."""

    def face(self, photo: Path) -> AlignedFace:
        """Read an image and align its largest face.

        Raises:
            UserError: The file is not an image, has no face, or should be aligned but is not square.
        """
        image, detector = read_image(photo), self.detector
        try:
            return align_faces(image, detector, self.size)[0] if detector else already_aligned(image, self.size)
        except UserError as error:
            raise error.within(photo) from error


@dataclass(frozen=True)
class Target:
    """An image whose code is computed; its file is read on first use."""

    photo: Path
    sha256: str
    """SHA-256 of the image file."""
    aligner: Aligner

    @property
    def name(self) -> str:
        """Name of the file, without folders and suffix."""
        return self.photo.stem

    @cached_property
    def face(self) -> AlignedFace:
        """Aligned face of the generator's size; raises as `Aligner.face`."""
        return self.aligner.face(self.photo)

    @cached_property
    def small(self) -> Tensor:
        """Aligned face of the size that methods compare, (1, 3, R, R); raises as `Aligner.face`."""
        return resample(self.face.image, self.aligner.small)

    def read(self) -> Self:
        """Read the file now; raises as `Aligner.face`."""
        _ = self.small
        return self


def find_target(photo: Path, aligner: Aligner) -> Target:
    """Create the target of an image file; only its checksum is computed yet.

    Raises:
        UserError: The file cannot be opened.
    """
    try:
        return Target(photo, sha256_of(photo), aligner)
    except OSError as error:
        raise UserError(f"{photo}: cannot read it: {error.strerror or error}") from error


def check_names(photos: Sequence[Path]) -> None:
    """Check that no two images share a name, since their results would.

    Raises:
        UserError: Two images share a name, apart from suffixes.
    """
    seen: dict[str, Path] = {}
    for photo in photos:
        other = seen.setdefault(photo.stem, photo)
        if other != photo:
            raise UserError(f"{photo} and {other} share a name; give each image its own")
