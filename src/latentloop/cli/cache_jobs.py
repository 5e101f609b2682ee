"""Implementation of `latentloop cache`; imported only when it runs, because it imports PyTorch."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from latentloop.cache import CodeCache, space_of
from latentloop.cli.console import say, track
from latentloop.errors import UserError
from latentloop.generators import load_generator
from latentloop.photos.find import find_training_photos, matches
from latentloop.records.naming import is_record_folder
from latentloop.training.cache_files import export_codes, import_codes

if TYPE_CHECKING:
    from latentloop.cli.cache import Cache


def show_cache(command: "Cache") -> int:
    """Print the number of codes in a cache, quantiles of their losses, and the terms of the loss."""
    cache = _open(command.cache, read_only=True)
    losses = sorted(cache.losses())
    say(f"{len(losses)} photos, codes ({cache.space.num_ws}, {cache.space.w_dim}) in {cache.dtype}")
    if losses:
        shares = {"best": 0.0, "median": 0.5, "worst": 1.0}
        quantiles = [f"{name} {losses[int(share * (len(losses) - 1))]:.4f}" for name, share in shares.items()]
        say(f"loss: {', '.join(quantiles)}")
    say(", ".join(f"{name} {value}" for name, value in cache.space.loss.items()))
    return 0


def export_cache(command: "Cache") -> int:
    """Write a code file for each photo that has a code in the cache.

    Raises:
        UserError: None of the photos has one.
    """
    cache = _open(command.cache, read_only=True)
    photos = find_training_photos(command.files)
    generator = load_generator(command.generator, which=command.which)
    written = list(export_codes(cache, track(photos, len(photos), "photos"), command.out, generator))
    if not written:
        raise UserError(f"none of {len(photos)} photos has a code in {command.cache}")
    say(f"{len(written)} of {len(photos)} photos have a code; written to {command.out}")
    return 0


def import_to_cache(command: "Cache") -> int:
    """Store codes from code files in the cache, each only where its loss is lower."""
    kept = import_codes(_open(command.cache), _code_files(command.files))
    say(f"kept {sum(kept)} of {len(kept)} codes: those with a lower loss")
    return 0


def _open(path: Path, *, read_only: bool = False) -> CodeCache:
    return CodeCache(path, space_of(path), read_only=read_only)


def _code_files(arguments: Sequence[str]) -> list[Path]:
    """List the code files that files, folders and globs name, and folders of records."""
    found: list[Path] = []
    for argument in arguments:
        path = Path(argument)
        if is_record_folder(path):
            found.append(path)
            continue
        here = sorted(path.glob("*.npz")) if path.is_dir() else matches(argument)
        if not here:
            raise UserError(f"{argument}: no code files")
        found += here
    return found
