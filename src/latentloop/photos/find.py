"""Finding the photos that arguments name: files, folders, globs, brace expressions and tar files."""

import glob
import os
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from latentloop.errors import UserError
from latentloop.globs import files_matching
from latentloop.hub import refuse_photo_address
from latentloop.image_info import png_comment
from latentloop.photos.braces import expand_braces
from latentloop.photos.sources import PhotoSource, photos_in_tar, places_of
from latentloop.pixels import photo_suffixes


def find_photos(arguments: Iterable[str]) -> list[Path]:
    """List the photos that files, folders (without subfolders), globs and braces name, in order, each once.

    Files and folders that cannot be read are listed, so that reading them reports why. Folders and globs leave out
    pictures that latentloop drew from the code file beside them, by the mark in the picture: the code of a photo may
    lie beside it, too.

    Raises:
        UserError: A name is empty, or a folder or glob has no photos.
    """
    found: list[Path] = []
    for argument in chain.from_iterable(map(expand_braces, arguments)):
        if not argument:  # Path("") would be the current folder
            raise UserError("one of the photos has an empty name")
        refuse_photo_address(argument)
        try:
            found += _photos(argument)
        except (OSError, ValueError):  # reading it reports the error, and the other photos are processed
            found.append(Path(argument))
    once: dict[str, Path] = {}
    for photo in found:
        once.setdefault(os.path.realpath(photo), photo)
    return list(once.values())


def find_training_photos(arguments: Iterable[str]) -> list[PhotoSource]:
    """List the photos that files, folders, globs, braces and uncompressed tar files name, each once.

    Tar files are also found in folders and by globs. Each photo takes a few hundred bytes of memory; none is read.

    Raises:
        UserError: An argument names no photo, or cannot be read.
    """
    sources: list[PhotoSource] = []
    for argument in chain.from_iterable(map(expand_braces, arguments)):
        if not argument:
            raise UserError("one of the photos has an empty name")
        tars = [path for path in _tar_files(argument) if path.suffix == ".tar"]
        sources += [photo for tar in tars for photo in photos_in_tar(tar)]
        sources += [PhotoSource(photo) for photo in _beside(argument, tars)]
    return list(dict(zip(places_of(sources), sources, strict=True)).values())


def _beside(argument: str, tars: Sequence[Path]) -> list[Path]:
    """Photos that an argument names in addition to tar files."""
    if tars == [Path(argument)]:
        return []
    try:
        found = find_photos([argument])
    except UserError:
        if tars:
            return []
        raise
    if found == [Path(argument)] and not found[0].exists():
        raise UserError(f"{argument}: no such file or folder")
    return [photo for photo in found if photo not in tars]


def matches(argument: str) -> list[Path]:
    """List the paths that a glob matches, sorted; any other argument is returned as a path."""
    if Path(argument).exists() or not glob.has_magic(argument):
        return [Path(argument)]
    return sorted(map(Path, files_matching(argument)))


def _tar_files(argument: str) -> list[Path]:
    path = Path(argument)
    return sorted(path.glob("*.tar")) if path.is_dir() else matches(argument)


def _photos(argument: str) -> list[Path]:
    path = Path(argument)
    if path.is_dir():
        known = photo_suffixes()
        named = [p for p in path.iterdir() if p.suffix.lower() in known and not p.name.startswith(".")]
        inside = sorted(p for p in named if p.is_file())
        problem = f"no photos in this folder; known endings: {' '.join(sorted(known))}"
        return _without_drawn(argument, inside, problem)
    if not path.exists() and glob.has_magic(argument):
        return _without_drawn(argument, [p for p in matches(argument) if p.is_file()], "no file matches")
    return [path]  # a file, or missing: reading it reports the error, and the other photos are processed


def _without_drawn(argument: str, found: list[Path], problem: str) -> list[Path]:
    """Leave out pictures that were drawn from codes; `problem` is said if nothing was found at all."""
    photos = [path for path in found if not _is_drawn(path)]
    if found and not photos:
        problem = f"only pictures drawn from the codes beside them, such as {found[0].name}; name a file to use it"
    if not photos:
        raise UserError(f"{argument}: {problem}")
    return photos


def _is_drawn(path: Path) -> bool:
    """Whether latentloop drew a picture from the code file beside it; its commands mark their pictures."""
    beside = path.suffix == ".png" and path.with_suffix(".npz").exists()
    return beside and (png_comment(path) or "").startswith("latentloop ")
