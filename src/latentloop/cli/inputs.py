"""Checks that a command's input files exist, made before slow imports."""

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from latentloop.defaults import SHIPPED_EMBEDDERS, SHIPPED_GENERATORS
from latentloop.errors import UserError
from latentloop.globs import files_matching
from latentloop.hub import is_address, refuse_photo_address
from latentloop.photos.braces import expand_braces
from latentloop.records.naming import split_record

if TYPE_CHECKING:
    from latentloop.photo_editing.subject_options import SubjectOptions

SAMPLE = "seed:"
"""Prefix of the name of a random face, as in seed:7."""
CODES = (".npz", ".npy", ".pt")
"""Suffixes of code files, which may hold several codes."""


def refuse_missing(
    any_of: Sequence[str] = (),
    *,
    each: Iterable[Path | str | None] = (),
    generators: Iterable[str] = (),
    embedders: Iterable[str | None] = (),
) -> None:
    """Raise an error for input files that do not exist; their contents are checked when they are read.

    Args:
        any_of: Files, folders, quoted globs and samples such as "seed:7", of which one must exist: the command runs
            without the others, and reports them.
        each: Like `any_of`, but all must exist; None for an option that is not given.
        generators: Names of bundled generators, or files.
        embedders: Names of bundled embedding networks, or files; None for an option that is not given.

    Raises:
        UserError: Something does not exist.
    """
    absent = [argument for argument in any_of if not _is_there(argument)]
    if absent and len(absent) == len(any_of):
        others = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise _missing(absent[0], others)
    for argument in each:
        if argument is not None and not _is_there(str(argument)):
            raise _missing(str(argument))
    for what, shipped, names in (
        ("generators", SHIPPED_GENERATORS, generators),
        ("networks", SHIPPED_EMBEDDERS, embedders),
    ):
        for name in names:
            if name is not None and name not in shipped and not _is_there(name):
                raise UserError(f"{name}: neither a file nor one of the bundled {what}: {', '.join(shipped)}")


def refuse_missing_photos(
    photos: Sequence[str],
    *,
    each: Iterable[Path | str | None] = (),
    generators: Iterable[str] = (),
    embedders: Iterable[str | None] = (),
) -> None:
    """Check the inputs of a command that takes only photos; see `refuse_missing`.

    Raises:
        UserError: Something does not exist, or a photo is an address on the Hub.
    """
    for photo in photos:
        refuse_photo_address(photo)
    refuse_missing(photos, each=each, generators=generators, embedders=embedders)


def refuse_missing_faces(subjects: "SubjectOptions", any_of: Sequence[str] = (), *, each: Iterable[str] = ()) -> None:
    """Check the inputs of an editing command; see `refuse_missing`.

    Args:
        subjects: Options that name the generator and the embedding network.
        any_of: Pictures of which one must exist.
        each: Pictures that must all exist.

    Raises:
        UserError: Something does not exist.
    """
    for face in (*any_of, *(each := [*each])):
        refuse_photo_address(face, but=CODES)
    generators, embedders = [subjects.generator], [subjects.search.embedder]
    refuse_missing(any_of, each=[*each, subjects.photos], generators=generators, embedders=embedders)


def is_one_photo(argument: str) -> bool:
    """Tell whether an argument names a single photo or random face, rather than a folder, a glob or a file of codes."""
    return argument.startswith(SAMPLE) or (Path(argument).is_file() and Path(argument).suffix.lower() not in CODES)


def _is_there(argument: str) -> bool:
    if argument.startswith(SAMPLE) or is_address(argument):
        return True
    if split_record(argument):
        return True
    if (each := expand_braces(argument)) != [argument]:
        return all(map(_is_there, each))
    try:
        found = Path(argument).exists()
    except OSError:  # such as a folder without permission to enter: the reader reports it better
        return True
    if not found and glob.has_magic(argument):
        return next(files_matching(argument), None) is not None
    return found


def _missing(argument: str, others: str = "") -> UserError:
    reason = "no file matches" if glob.has_magic(argument) else "no such file or folder"
    return UserError(f"{argument}{others}: {reason}")
