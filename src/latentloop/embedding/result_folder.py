"""The folder that `embed` fills: which result belongs to which photo, and what is finished."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from latentloop.embedding.inverter import Figures
from latentloop.errors import UserError
from latentloop.evaluation.full_size import FULL_SIZE_METRICS
from latentloop.evaluation.measure import METRICS
from latentloop.files import check_writable
from latentloop.latents.code_file import is_damaged_code, load_code
from latentloop.options import is_whole
from latentloop.ownership import (
    MARK,
    is_foreign,
    mark,
    mark_in,
    marked_by,
    refuse_links,
)
from latentloop.stamps import Stamp, differences, key_of

COMMAND = "embed"
"""Command whose mark the pictures carry."""
PAGES = "report"
"""Name of the folder with the pages of a report of many photos, and with their thumbnails."""
INFORMATIVE = frozenset({"generator"})
"""Entries of a stamp that are for people: the generator's name; its checksum counts."""


@dataclass(frozen=True)
class PhotoKey:
    """Identity of a photo, by which a later run recognizes it."""

    file: str
    """File name of the photo, without folders."""
    sha256: str
    """SHA-256 of the photo's bytes."""


@dataclass(frozen=True)
class ResultPaths:
    """Paths of the files of one result."""

    code: Path
    reconstruction: Path
    aligned: Path
    one_pass: Path
    """One-pass reconstruction, if the iterator started from it."""
    thumbnail: Path
    """Small pictures side by side, for a report of many photos; not a part of the result."""

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Paths of the pictures, in the order in which a report shows them."""
        return self.aligned, self.one_pass, self.reconstruction

    def relative_to(self, folder: Path, *, pictures: bool = True, one_pass: bool) -> dict[str, str]:
        """Return each file's path relative to a folder, with forward slashes; pictures only if there are any."""
        files = {"code": self.code}
        files |= {"reconstruction": self.reconstruction, "aligned": self.aligned} if pictures else {}
        files |= {"one_pass_reconstruction": self.one_pass} if pictures and one_pass else {}
        return {kind: path.relative_to(folder).as_posix() for kind, path in files.items()}


@dataclass(frozen=True)
class Result:
    """Record of a finished result."""

    photo: PhotoKey
    faces: int | None
    """Number of faces embedded from the photo; None if only one was requested."""
    settings: Mapping[str, Any]
    figures: Figures
    one_pass: Figures | None
    """Metrics of the one-pass reconstruction, if the iterator started from it."""
    losses: Sequence[float]
    mark: str | None = None
    """Mark of the pictures that were drawn with this code; earlier versions left none."""
    pictures: bool = True
    """Whether the pictures are there, too."""

    @property
    def steps(self) -> int:
        """Steps of the iterator that were taken."""
        return max(len(self.losses) - 1, 0)

    @property
    def refine_steps(self) -> int:
        """Steps of the refinement beyond the code."""
        steps: int = self.settings.get("refine_steps", 0)
        return steps

    @property
    def full_size_steps(self) -> int:
        """Steps at full size among these, the last ones: faces without the pixels take none."""
        others: int = self.settings.get("steps", self.steps) + self.settings.get("polish", 0)
        return max(self.steps - others, 0)


@dataclass(frozen=True)
class Finished:
    """Finished results of a photo in a folder."""

    results: Mapping[str, Result] = field(default_factory=dict)
    """Finished results of the photo by name; empty if any is missing or has another stamp."""
    outdated: str = ""
    """Description of a result whose stamp differs, and of the difference."""
    damaged: str = ""
    """Name of a result whose code can no longer be read."""


@dataclass(frozen=True)
class ResultFolder:
    """Results by name: NAME.npz, NAME.png, aligned/NAME.png and, if any, one-pass/NAME.png.

    All are written before the first one gets its name, and the code gets it last: where it is, all is. The pictures
    carry the mark that the code has among its details; with another one they are of another code, and the result is
    not finished.
    """

    path: Path
    _owners: dict[str, PhotoKey] = field(default_factory=dict)  # stem -> the photo that has it

    def paths(self, name: str) -> ResultPaths:
        """Return the paths of the result `name`, which need not exist yet."""
        picture = f"{name}.png"
        return ResultPaths(
            code=self.path / f"{name}.npz",
            reconstruction=self.path / picture,
            aligned=self.path / "aligned" / picture,
            one_pass=self.path / "one-pass" / picture,
            thumbnail=self.path / PAGES / f"{name}.jpg",
        )

    def make(self) -> None:
        """Make the folder if it is missing.

        Raises:
            UserError: It cannot be made or written to, or a folder in it leads elsewhere; better noticed before the
                work than after it.
        """
        refuse_links(self.path / "aligned", self.path / "one-pass", self.path / PAGES)
        for folder in (self.path, self.path / "aligned"):
            check_writable(folder)

    def stem_for(self, photo: PhotoKey, *, all_faces: bool, accepts: Callable[[Result], bool] = lambda _: True) -> str:
        """Return the photo's unique stem in this folder: that of its file, numbered if another photo has it.

        Args:
            photo: The photo.
            all_faces: Look for one result for each face, not for a single one.
            accepts: Tells of a result of the same photo whether it may be used or replaced.
        """
        plain = Path(photo.file).stem
        numbered = (f"{plain}-{number}" for number in count(2))
        stem = next(s for s in chain([plain], numbered) if self._is_free(s, photo, accepts, all_faces=all_faces))
        self._owners[stem.casefold()] = photo  # for file systems that take Anna.png for anna.png
        return stem

    def finished(
        self,
        photo: PhotoKey,
        stem: str,
        stamp_of: Callable[[str], Stamp],
        *,
        all_faces: bool,
        pictures: bool = True,
        one_pass: bool = False,
        deciding: Set[str] | None = None,
    ) -> "Finished":
        """Find the finished results of a photo.

        Args:
            photo: The photo.
            stem: Its stem in this folder.
            stamp_of: Gives the stamp that the result of a name must have.
            all_faces: Look for one result for each face, not for a single one.
            pictures: A result counts only with its pictures.
            one_pass: A result counts only with the figures of its one-pass reconstruction.
            deciding: Entries of the stamp in which they must agree; None for all.
        """
        names, complete, missing = self._names(stem, all_faces=all_faces), dict[str, Result](), ""
        for name in names:  # a file may claim millions of faces
            result = self._complete(name, photo, pictures=pictures)
            if result is None:
                missing = name
                break
            complete[name] = result
        for name, result in complete.items():
            changed = [entry for entry in differences(result.settings, stamp_of(name)) if entry not in INFORMATIVE]
            if changed := [entry for entry in changed if deciding is None or entry in deciding]:
                return Finished(outdated=f"{name}: there is a result with other settings ({', '.join(changed)})")
        if missing:
            return Finished(damaged=missing if is_damaged_code(self.paths(missing).code) else "")
        return Finished(complete if all(result.one_pass or not one_pass for result in complete.values()) else {})

    def _names(self, stem: str, *, all_faces: bool) -> Iterator[str]:
        """Names of the results that a photo must have; of all its faces as many as the first one's code tells."""
        if not all_faces:
            yield stem
            return
        first = self.read(face_name(stem, 1))
        for i in range(first.faces or 0 if first else 1):
            yield face_name(stem, i + 1)

    def read(self, name: str) -> Result | None:
        """Read a result; None unless its code is there and `embed` made it."""
        path = self.paths(name).code
        if not path.is_file():
            return None
        try:
            code = load_code(path)
            details, photo = code.details, code.details["photo"]
            if photo["faces"] is not None and not is_whole(photo["faces"]):
                raise TypeError("faces are no number")
            if not isinstance(details["settings"], dict):
                raise TypeError("settings are no object")
            return Result(
                photo=PhotoKey(photo["file"], photo["sha256"]),
                faces=photo["faces"],
                settings=details["settings"],
                figures=_figures(details),
                one_pass=_figures(details["one_pass"]) if details.get("one_pass") else None,
                losses=code.losses.tolist(),
                mark=details.get(MARK),
            )
        except (UserError, LookupError, TypeError, ValueError):
            return None  # damaged, or not ours: it is made again

    def overwrites(self, name: str, *, pictures: bool = True) -> Path | None:
        """Return a foreign file that the result `name`, with or without pictures, would replace; None if none."""
        paths = self.paths(name)
        theirs = [picture for picture in paths.pictures if pictures and is_foreign(picture, marked_by(COMMAND))]
        if is_foreign(paths.code, lambda path: self.read(name) is not None or is_damaged_code(path)):
            theirs.append(paths.code)
        return next(iter(theirs), None)

    def delete_pictures(self, name: str) -> None:
        """Delete the pictures of a result: those of an earlier code, which is replaced by one without pictures.

        Raises:
            UserError: One cannot be deleted.
        """
        paths = self.paths(name)
        for picture in (*paths.pictures, paths.thumbnail):
            if picture.is_file() and not is_foreign(picture, marked_by(COMMAND)):
                try:
                    picture.unlink(missing_ok=True)
                except OSError as error:
                    raise UserError(f"{picture}: cannot delete it: {error.strerror or error}") from error

    def _complete(self, name: str, photo: PhotoKey, *, pictures: bool) -> Result | None:
        """The result of a name, if it is the photo's and complete: with its pictures, if they are asked for.

        It never is with pictures of another code, as a kill between two renames leaves them.
        """
        result, paths = self.read(name), self.paths(name)
        if result is None or result.photo != photo:
            return None
        drawn = [paths.reconstruction, paths.aligned, *([paths.one_pass] if result.one_pass else [])]
        marks = [mark_in(picture, COMMAND) for picture in drawn]
        whole = all(picture.is_file() for picture in drawn) and all(mark == result.mark for mark in marks)
        if whole or not (pictures or set(marks) - {None, result.mark}):
            return replace(result, pictures=whole)
        return None

    def _is_free(self, stem: str, photo: PhotoKey, accepts: Callable[[Result], bool], *, all_faces: bool) -> bool:
        if stem.casefold() in self._owners:
            return self._owners[stem.casefold()] == photo
        result = self.read(face_name(stem, 1) if all_faces else stem)
        return result is None or (result.photo == photo and accepts(result))


def _figures(details: Mapping[str, Any]) -> Figures:
    metrics = details["metrics"]
    names = (*METRICS, *(name for name in FULL_SIZE_METRICS if name in metrics))  # earlier versions lack the latter
    return Figures({name: float(metrics[name]) for name in names}, float(details["seconds"]))


def mark_of(name: str, photo: PhotoKey, stamp: Stamp) -> str:
    """Make the mark that the files of a result carry."""
    return mark(COMMAND, key_of({"name": name, "photo": photo.sha256, "stamp": stamp}))


def face_name(stem: str, number: int) -> str:
    """Name of the result of one of several faces of a photo, counted from 1."""
    return f"{stem}-face{number}"
