"""Folder of embedding results: naming, recognizing and judging what is finished."""

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
"""Folder name of a large report's pages and thumbnails."""
INFORMATIVE = frozenset({"generator", "generator_source", "embedder_source"})
"""Stamp entries that are informative only: the generator's name and commits on the Hub, since checksums decide."""


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
    """One-pass reconstruction, present if the iterator started from it."""
    thumbnail: Path
    """Small pictures side by side, for a report of many photos; not a part of the result."""

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Paths of the pictures, in the order in which a report shows them."""
        return self.aligned, self.one_pass, self.reconstruction

    def relative_to(self, folder: Path, *, pictures: bool = True, one_pass: bool) -> dict[str, str]:
        """Return paths relative to a folder, with forward slashes.

        Args:
            folder: Folder that the paths start from.
            pictures: Include the pictures.
            one_pass: Include the one-pass reconstruction, if pictures are included.
        """
        files = {"code": self.code}
        files |= {"reconstruction": self.reconstruction, "aligned": self.aligned} if pictures else {}
        files |= {"one_pass_reconstruction": self.one_pass} if pictures and one_pass else {}
        return {kind: path.relative_to(folder).as_posix() for kind, path in files.items()}


@dataclass(frozen=True)
class Result:
    """Record of a finished result, read from its code file."""

    photo: PhotoKey
    faces: int | None
    """Number of faces embedded from the photo; None if only one was requested."""
    settings: Mapping[str, Any]
    figures: Figures
    one_pass: Figures | None
    """Metrics of the one-pass reconstruction, if the iterator started from it."""
    losses: Sequence[float]
    mark: str | None = None
    """Mark of the pictures drawn with this code; None in files of earlier versions."""
    pictures: bool = True
    """True if the pictures are there, too."""

    @property
    def steps(self) -> int:
        """Number of steps that the iterator took."""
        return max(len(self.losses) - 1, 0)

    @property
    def refine_steps(self) -> int:
        """Number of refinement steps beyond the code."""
        steps: int = self.settings.get("refine_steps", 0)
        return steps

    @property
    def full_size_steps(self) -> int:
        """Number of full-size steps, the last of `steps`; 0 for faces with too few pixels."""
        others: int = self.settings.get("steps", self.steps) + self.settings.get("polish", 0)
        return max(self.steps - others, 0)


@dataclass(frozen=True)
class Finished:
    """Finished results of a photo in a folder."""

    results: Mapping[str, Result] = field(default_factory=dict)
    """Results by name; empty if any is missing or has another stamp."""
    outdated: str = ""
    """Message about a result whose stamp differs; empty if there is none."""
    damaged: str = ""
    """Name of a result whose code file is damaged; empty if there is none."""


@dataclass(frozen=True)
class ResultFolder:
    """Results by name: NAME.npz, NAME.png, aligned/NAME.png and, if any, one-pass/NAME.png.

    All files are written before the first one gets its final name, and the code is named last: a code's presence
    vouches for its pictures. Pictures carry the mark that the code has in its details; a result whose marks differ is
    unfinished.
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
        """Create the folder if it is missing, before any work is done.

        Raises:
            UserError: It cannot be created or written to, or a folder in it is a link.
        """
        refuse_links(self.path / "aligned", self.path / "one-pass", self.path / PAGES)
        for folder in (self.path, self.path / "aligned"):
            check_writable(folder)

    def stem_for(self, photo: PhotoKey, *, all_faces: bool, accepts: Callable[[Result], bool] = lambda _: True) -> str:
        """Return the photo's unique stem in this folder: that of its file, numbered if another photo has it.

        Args:
            photo: Identity of the photo.
            all_faces: Results are one per face, not one per photo.
            accepts: Tells whether a result of the same photo may be used or replaced.
        """
        plain = Path(photo.file).stem
        numbered = (f"{plain}-{number}" for number in count(2))
        stem = next(s for s in chain([plain], numbered) if self._is_free(s, photo, accepts, all_faces=all_faces))
        self._owners[stem.casefold()] = photo  # case-insensitive file systems: Anna.png is anna.png
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
            photo: Identity of the photo.
            stem: Its stem in this folder.
            stamp_of: Returns the stamp that the result of a name must have.
            all_faces: Results are one per face, not one per photo.
            pictures: Require the pictures.
            one_pass: Require the metrics of the one-pass reconstruction.
            deciding: Stamp entries that must match; None for all.
        """
        names, complete, missing = self._names(stem, all_faces=all_faces), dict[str, Result](), ""
        for name in names:  # stops at the first gap: a forged file may claim millions of faces
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
        """Yield the names of a photo's results; for all faces, as many as the first one's code records."""
        if not all_faces:
            yield stem
            return
        # Without the first result nothing is known about the others: only it is asked for, and found missing.
        first = self.read(face_name(stem, 1))
        for i in range(first.faces or 0 if first else 1):
            yield face_name(stem, i + 1)

    def read(self, name: str) -> Result | None:
        """Read a result; None if its code is missing or was not written by `embed`."""
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
            return None  # damaged, or not ours: it is recomputed

    def overwrites(self, name: str, *, pictures: bool = True) -> Path | None:
        """Return a foreign file that the result `name` would replace; None if there is none."""
        paths = self.paths(name)
        theirs = [picture for picture in paths.pictures if pictures and is_foreign(picture, marked_by(COMMAND))]
        if is_foreign(paths.code, lambda path: self.read(name) is not None or is_damaged_code(path)):
            theirs.append(paths.code)
        return next(iter(theirs), None)

    def delete_pictures(self, name: str) -> None:
        """Delete the pictures of a result, after its code was replaced by one without pictures.

        The order is safe: after a kill in between, pictures of an older code have another mark than the new one, and
        the result counts as unfinished; pictures of the same mark show what the new code draws.

        Raises:
            UserError: A picture cannot be deleted.
        """
        paths = self.paths(name)
        for picture in (*paths.pictures, paths.thumbnail):
            if picture.is_file() and not is_foreign(picture, marked_by(COMMAND)):
                try:
                    picture.unlink(missing_ok=True)
                except OSError as error:
                    raise UserError(f"{picture}: cannot delete it: {error.strerror or error}") from error

    def _complete(self, name: str, photo: PhotoKey, *, pictures: bool) -> Result | None:
        """Return the result of a name if it belongs to the photo and is complete, with its pictures if required.

        A result with pictures of another code is never complete: a kill between two renames leaves such a mixture.
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
    """Compute the mark that the files of a result carry, from its name, photo and stamp."""
    return mark(COMMAND, key_of({"name": name, "photo": photo.sha256, "stamp": stamp}))


def face_name(stem: str, number: int) -> str:
    """Name the result of one of several faces of a photo, counted from 1."""
    return f"{stem}-face{number}"
