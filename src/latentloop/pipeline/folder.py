"""The folder that `embed` fills: which result belongs to which photo, and what is finished."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from latentloop.codes import Code, load_code
from latentloop.errors import UserError


@dataclass(frozen=True)
class PhotoKey:
    """What makes a photo the same photo in a later run."""

    file: str
    """Its name, without folders."""
    sha256: str
    """Of its bytes."""


@dataclass(frozen=True)
class ResultPaths:
    """The files of one result."""

    code: Path
    reconstruction: Path
    aligned: Path

    def relative_to(self, folder: Path) -> dict[str, str]:
        """Each file's path from the folder, with forward slashes."""
        files = {"code": self.code, "reconstruction": self.reconstruction, "aligned": self.aligned}
        return {kind: path.relative_to(folder).as_posix() for kind, path in files.items()}


@dataclass(frozen=True)
class ResultFolder:
    """Results by name: NAME.npz, NAME.png and aligned/NAME.png. The code is written last: where it is, all is."""

    path: Path
    _owners: dict[str, PhotoKey] = field(default_factory=dict)  # stem -> the photo that has it

    def paths(self, name: str) -> ResultPaths:
        """Where the result `name` lies or will lie."""
        return ResultPaths(self.path / f"{name}.npz", self.path / f"{name}.png", self.path / "aligned" / f"{name}.png")

    def make(self) -> None:
        """Make the folder if it is missing.

        Raises:
            UserError: It cannot be made or written to; better noticed before the work than after it.
        """
        try:
            (self.path / "aligned").mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=self.path).close()
        except OSError as error:
            raise UserError(f"{self.path}: cannot write here: {error.strerror or error}") from error

    def stem_for(self, photo: PhotoKey, *, all_faces: bool) -> str:
        """The photo's own stem in this folder: its file's, with a number if another photo has that.

        Args:
            photo: Whose stem.
            all_faces: It is for one result for each face, not for a single one.
        """
        plain = Path(photo.file).stem
        numbered = (f"{plain}-{number}" for number in count(2))
        stem = next(s for s in chain([plain], numbered) if self._owner(s, all_faces=all_faces) in (None, photo))
        self._owners[stem] = photo
        return stem

    def finished(self, photo: PhotoKey, stem: str, settings: Mapping[str, Any], *, all_faces: bool) -> list[str]:
        """Names of the photo's finished results with these settings; empty if any is missing.

        Args:
            photo: Whose results.
            stem: Its stem in this folder.
            settings: What the results must have been made with.
            all_faces: Look for one result for each face, not for a single one.
        """
        names = [stem]
        if all_faces:
            first = self.read(face_name(stem, 1))
            names = [face_name(stem, i + 1) for i in range(first.details["photo"]["faces"])] if first else []
        return names if all(self._is_finished(name, photo, settings) for name in names) else []

    def read(self, name: str) -> Code | None:
        """A result's code, if it is there and is one that `embed` made."""
        path = self.paths(name).code
        if not path.is_file():
            return None
        try:
            code = load_code(path)
        except UserError:
            return None  # damaged, or not ours: it is made again
        return code if {"photo", "settings", "metrics", "seconds"} <= code.details.keys() else None

    def _is_finished(self, name: str, photo: PhotoKey, settings: Mapping[str, Any]) -> bool:
        code, paths = self.read(name), self.paths(name)
        return (
            code is not None
            and _key(code) == photo
            and code.details["settings"] == settings
            and paths.reconstruction.is_file()
            and paths.aligned.is_file()
        )

    def _owner(self, stem: str, *, all_faces: bool) -> PhotoKey | None:
        if stem in self._owners:
            return self._owners[stem]
        code = self.read(face_name(stem, 1) if all_faces else stem)
        return _key(code) if code else None


def face_name(stem: str, number: int) -> str:
    """Name of the result of one of several faces of a photo, counted from 1."""
    return f"{stem}-face{number}"


def _key(code: Code) -> PhotoKey:
    photo = code.details["photo"]
    return PhotoKey(photo["file"], photo["sha256"])
