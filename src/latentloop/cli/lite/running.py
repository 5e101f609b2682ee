"""Implementation of the commands of latentloop-lite; imported only when one of them runs."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from latentloop.cli.complaints import complain
from latentloop.cli.console import say, track
from latentloop.errors import UserError
from latentloop.lite.edit_job import PICTURES, EditJob
from latentloop.lite.embed_job import EmbedJob
from latentloop.lite.inputs import files_of
from latentloop.photo_editing.claims import Claims
from latentloop.runtime.engine import load

if TYPE_CHECKING:
    from latentloop.cli.lite.edit import Edit
    from latentloop.cli.lite.embed import Embed


def edit(command: "Edit") -> int:
    """Edit the pictures that a command names; returns 2 if one failed."""
    files, runtime = files_of(command.pictures), load(command.runtime.bundle, threads=command.runtime.threads)
    claims = Claims(command.out, [*map(str, files)])
    job = EditJob(command.strengths, command.options, runtime, command.faces, claims, command.runtime.looks, complain)
    job.check()
    if job.too_far:
        complain(f"{job.too_far}: faces fall apart beyond strengths of 3")
    if command.out.suffix.lower() not in PICTURES:
        return _each(files, job.results)
    if len(files) > 1:
        raise UserError(f"{command.out}: one file for {len(files)} pictures; name a folder", arguments="out")
    if command.options.strip:
        raise UserError(f"{command.out}: the picture alone, without a strip; name a folder", arguments=("out", "strip"))
    return _each(files, lambda file: [job.to_file(file, command.out)])


def embed(command: "Embed") -> int:
    """Embed the photos that a command names; returns 2 if one failed."""
    files, runtime = files_of(command.photos), load(command.runtime.bundle, threads=command.runtime.threads)
    claims = Claims(command.out, [*map(str, files)], kind="embed")
    return _each(files, EmbedJob(runtime, command.faces, claims, command.runtime.looks).results)


def _each(files: list[Path], results: Callable[[Path], Iterable[Path]]) -> int:
    """Write the results of each file and print their paths; returns 2 if one failed."""
    complete = True
    for file in track(files, len(files), "photos") if len(files) > 1 else files:
        try:
            for path in results(file):
                say(path)
        except UserError as error:
            complain(error)
            complete = False
    return 0 if complete else 2
