"""Inputs of latentloop-lite: photos and code files."""

from collections.abc import Iterable
from pathlib import Path

from latentloop.embedding.options import FaceOptions
from latentloop.errors import UserError
from latentloop.latents.plain_code import load_plain_code
from latentloop.photos.find import find_photos, matches
from latentloop.runtime.engine import Runtime
from latentloop.runtime.photos import open_photo
from latentloop.runtime.results import Inverted

CODE = ".npz"
"""Suffix of code files."""


def files_of(arguments: Iterable[str]) -> list[Path]:
    """List the photos and code files that arguments name, in order: files, globs, and folders of photos.

    Raises:
        UserError: An argument names nothing.
    """
    found: list[Path] = []
    for argument in arguments:
        files = matches(argument)
        coded = bool(files) and all(file.suffix.lower() == CODE for file in files)
        found += files if coded else find_photos([argument])
    return list(dict.fromkeys(found))


def faces_in(file: Path, runtime: Runtime, faces: FaceOptions, *, looks: int) -> list[Inverted]:
    """Compute the codes of the faces in a photo, or read the one of a code file.

    Raises:
        UserError: The file cannot be used; the message begins with its path.
    """
    if file.suffix.lower() == CODE:
        return [runtime.open_code(load_plain_code(file), file.stem)]
    photo = open_photo(file, max_pixels=faces.max_pixels)
    try:
        return runtime.invert_all(photo, face=faces.face, aligned=faces.aligned, looks=looks)
    except UserError as error:
        raise error.within(file) from error
