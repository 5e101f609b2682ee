"""The folder that `embed` fills: which result belongs to which photo, and what is finished."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from latentloop.errors import UserError
from latentloop.evaluation.measure import METRICS
from latentloop.latents.code_file import load_code


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
    one_pass: Path
    """What the network alone finds, where the iterator went on from there."""

    def relative_to(self, folder: Path, *, one_pass: bool) -> dict[str, str]:
        """Each file's path from the folder, with forward slashes; that of the one pass if there is one."""
        files = {"code": self.code, "reconstruction": self.reconstruction, "aligned": self.aligned}
        files |= {"one_pass_reconstruction": self.one_pass} if one_pass else {}
        return {kind: path.relative_to(folder).as_posix() for kind, path in files.items()}


@dataclass(frozen=True)
class Figures:
    """How good a reconstruction is, and how long it took to find."""

    metrics: Mapping[str, float]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """As results.json has them: what is not finite as null, thousandths of seconds."""
        metrics = {name: value if math.isfinite(value) else None for name, value in self.metrics.items()}
        return {"metrics": metrics, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True)
class Result:
    """What a finished result says of itself."""

    photo: PhotoKey
    faces: int | None
    """How many of the photo's faces were embedded; None if it was the one."""
    settings: Mapping[str, Any]
    figures: Figures
    one_pass: Figures | None
    """Of the network alone, where the iterator went on from there."""
    losses: Sequence[float]


@dataclass(frozen=True)
class ResultFolder:
    """Results by name: NAME.npz, NAME.png, aligned/NAME.png and, it may be, one-pass/NAME.png.

    The code is written last: where it is, all is.
    """

    path: Path
    _owners: dict[str, PhotoKey] = field(default_factory=dict)  # stem -> the photo that has it

    def paths(self, name: str) -> ResultPaths:
        """Where the result `name` lies or will lie."""
        picture = f"{name}.png"
        return ResultPaths(
            code=self.path / f"{name}.npz",
            reconstruction=self.path / picture,
            aligned=self.path / "aligned" / picture,
            one_pass=self.path / "one-pass" / picture,
        )

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
        self._owners[stem.casefold()] = photo  # for file systems that take Anna.png for anna.png
        return stem

    def finished(
        self, photo: PhotoKey, stem: str, settings_of: Callable[[str], Mapping[str, Any]], *, all_faces: bool
    ) -> dict[str, Result]:
        """The photo's finished results with their settings, by name; empty if any is missing.

        Args:
            photo: Whose results.
            stem: Its stem in this folder.
            settings_of: What the result of a name must have been made with.
            all_faces: Look for one result for each face, not for a single one.
        """
        names = [stem]
        if all_faces:
            first = self.read(face_name(stem, 1))
            names = [face_name(stem, i + 1) for i in range(first.faces or 0)] if first else []
        found = {name: self._finished(name, photo, settings_of) for name in names}
        results = {name: result for name, result in found.items() if result}
        return results if len(results) == len(names) else {}

    def read(self, name: str) -> Result | None:
        """A result, if its code is there and is one that `embed` made."""
        path = self.paths(name).code
        if not path.is_file():
            return None
        try:
            code = load_code(path)
            details, photo = code.details, code.details["photo"]
            return Result(
                photo=PhotoKey(photo["file"], photo["sha256"]),
                faces=photo["faces"],
                settings=details["settings"],
                figures=_figures(details),
                one_pass=_figures(details["one_pass"]) if details.get("one_pass") else None,
                losses=code.losses.tolist(),
            )
        except (UserError, LookupError, TypeError, ValueError):
            return None  # damaged, or not ours: it is made again

    def overwrites(self, name: str) -> Path | None:
        """The file that is not one of ours and that the result `name` would replace, if there is one."""
        paths = self.paths(name)
        # Ours come in the order aligned, reconstruction, code: a later one without an earlier one is somebody else's.
        if paths.aligned.exists() or self.read(name):
            return None
        return next((path for path in (paths.reconstruction, paths.code) if path.exists()), None)

    def _finished(self, name: str, photo: PhotoKey, settings_of: Callable[[str], Mapping[str, Any]]) -> Result | None:
        result, paths = self.read(name), self.paths(name)
        if not (paths.reconstruction.is_file() and paths.aligned.is_file()):
            return None
        if result and result.one_pass and not paths.one_pass.is_file():
            return None
        return result if result and (result.photo, result.settings) == (photo, settings_of(name)) else None

    def _owner(self, stem: str, *, all_faces: bool) -> PhotoKey | None:
        if stem.casefold() in self._owners:
            return self._owners[stem.casefold()]
        result = self.read(face_name(stem, 1) if all_faces else stem)
        return result.photo if result else None


def _figures(told: Mapping[str, Any]) -> Figures:
    return Figures({name: float(told["metrics"][name]) for name in METRICS}, float(told["seconds"]))


def face_name(stem: str, number: int) -> str:
    """Name of the result of one of several faces of a photo, counted from 1."""
    return f"{stem}-face{number}"
