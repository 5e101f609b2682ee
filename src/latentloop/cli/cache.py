"""`latentloop cache`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from latentloop.defaults import GENERATOR

if TYPE_CHECKING:
    from latentloop.cache import CodeCache


@dataclass(frozen=True)
class Cache:
    """Look into a cache of best codes, which latentloop train makes, and carry codes out of it and into it.

    What is in it: latentloop cache show run/codes.cache

    Code files of aligned photos, for embed to go on from: latentloop cache export run/codes.cache faces/ --out codes

    Codes that embed found of the same photos: latentloop cache import run/codes.cache "codes/*.npz"
    """

    what: Annotated[Literal["show", "export", "import"], tyro.conf.Positional]
    """show: how many codes there are, and how good they are. export: write a code file for each photo. import: keep the
    codes that are better than the cache's."""
    cache: Annotated[Path, tyro.conf.Positional]
    """The file."""
    files: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """For export the photos: files, folders, quoted globs, tar files. For import the code files."""
    out: Path = Path("codes")
    """Folder for what is exported."""
    generator: str = GENERATOR
    """Whose codes are exported: one we ship, or a file that latentloop convert reads."""

    def __post_init__(self) -> None:
        if (self.what == "show") == bool(self.files):
            raise ValueError("name files for export and import, none for show")

    def run(self) -> int:
        """Do it."""
        from latentloop.cache import CodeCache, space_of
        from latentloop.cli.console import say

        cache = CodeCache(self.cache, space_of(self.cache))
        if self.what == "export":
            return self._export(cache)
        if self.what == "import":
            return self._import(cache)
        losses = sorted(cache.losses())
        say(f"{len(losses)} photos, codes ({cache.space.num_ws}, {cache.space.w_dim}) in {cache.dtype}")
        if losses:
            shares = {"best": 0.0, "median": 0.5, "worst": 1.0}
            told = [f"{name} {losses[int(share * (len(losses) - 1))]:.4f}" for name, share in shares.items()]
            say(f"loss: {', '.join(told)}")
        say(", ".join(f"{name} {value}" for name, value in cache.space.loss.items()))
        return 0

    def _export(self, cache: "CodeCache") -> int:
        from latentloop.cli.console import say, track
        from latentloop.errors import UserError
        from latentloop.generators import load_generator
        from latentloop.photos.find import find_training_photos
        from latentloop.training.cache_files import export_codes

        photos = find_training_photos(self.files)
        generator = load_generator(self.generator)
        written = list(export_codes(cache, track(photos, len(photos), "photos"), self.out, generator))
        if not written:
            raise UserError(f"none of {len(photos)} photos has a code in {self.cache}")
        say(f"{len(written)} of {len(photos)} photos have a code; written to {self.out}")
        return 0

    def _import(self, cache: "CodeCache") -> int:
        from latentloop.cli.console import say
        from latentloop.training.cache_files import import_codes

        kept = import_codes(cache, _code_files(self.files))
        say(f"{sum(kept)} of {len(kept)} codes were better and are kept")
        return 0


def _code_files(arguments: Sequence[str]) -> list[Path]:
    """Code files that files, folders and globs name."""
    from latentloop.errors import UserError
    from latentloop.photos.find import matches

    found: list[Path] = []
    for argument in arguments:
        path = Path(argument)
        here = sorted(path.glob("*.npz")) if path.is_dir() else matches(argument)
        if not here:
            raise UserError(f"{argument}: no code files")
        found += here
    return found
