"""The images of a benchmark, which are read and aligned only where something has to be found or measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from torch import Tensor

from latentloop.errors import UserError
from latentloop.faces import FaceDetector, align_faces, already_aligned
from latentloop.files import sha256_of
from latentloop.images import read_image, resample


@dataclass(frozen=True)
class Aligner:
    """How images become targets."""

    detector: FaceDetector | None
    """None takes the images as aligned."""
    size: int
    """Pixels of the aligned face."""
    small: int
    """Pixels of what methods see."""

    def face(self, photo: Path) -> Tensor:
        """The largest face, aligned, (1, 3, S, S) in [-1, 1].

        Raises:
            UserError: It is not an image, has no face, or is not square where it is taken as aligned.
        """
        image, detector = read_image(photo), self.detector
        try:
            found = align_faces(image, detector, self.size)[0] if detector else already_aligned(image, self.size)
        except UserError as error:
            raise UserError(f"{photo}: {error}") from error
        return found.image


@dataclass(frozen=True)
class Target:
    """An image to find the code of; it is read once somebody looks at it."""

    photo: Path
    sha256: str
    aligner: Aligner

    @property
    def name(self) -> str:
        """Without folders and ending."""
        return self.photo.stem

    @cached_property
    def face(self) -> Tensor:
        """Aligned, of the generator's size, (1, 3, S, S) in [-1, 1]; raises as `Aligner.face`."""
        return self.aligner.face(self.photo)

    @cached_property
    def small(self) -> Tensor:
        """What methods see, (1, 3, R, R); raises as `Aligner.face`."""
        return resample(self.face, self.aligner.small)

    def read(self) -> Self:
        """Read it now; raises as `Aligner.face`."""
        _ = self.small
        return self


def find_target(photo: Path, aligner: Aligner) -> Target:
    """A target that is not read yet.

    Raises:
        UserError: The file cannot be opened.
    """
    try:
        return Target(photo, sha256_of(photo), aligner)
    except OSError as error:
        raise UserError(f"{photo}: cannot read it: {error.strerror or error}") from error


def check_names(photos: Sequence[Path]) -> None:
    """See that each image has a name of its own.

    Raises:
        UserError: Two share one, endings aside.
    """
    seen: dict[str, Path] = {}
    for photo in photos:
        other = seen.setdefault(photo.stem, photo)
        if other != photo:
            raise UserError(f"{photo} and {other} share a name; give each image one of its own")
