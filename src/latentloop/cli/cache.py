"""The command `latentloop cache`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from latentloop.cli.inputs import refuse_missing
from latentloop.defaults import GENERATOR, Which


@dataclass(frozen=True)
class Cache:
    """Inspect a code cache written by latentloop train, or export and import its codes.

    Its contents: latentloop cache show run/codes.cache

    Code files of aligned photos, for embed to go on from: latentloop cache export run/codes.cache faces/ --out codes

    Codes of the same photos from embed: latentloop cache import run/codes.cache "codes/*.npz"
    """

    what: Annotated[Literal["show", "export", "import"], tyro.conf.Positional]
    """show: print the number of codes and their losses. export: write a code file for each photo. import: keep the
    codes that are better than the cache's."""
    cache: Annotated[Path, tyro.conf.Positional]
    """Cache file, such as RUN/codes.cache."""
    files: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """For export photos: files, folders, quoted globs, tar files. For import code files, or a folder of records of
    latentloop bulk."""
    out: Path = Path("codes")
    """Folder for the code files of an export."""
    generator: str = GENERATOR
    """Generator that exported codes belong to: a bundled one, or a StyleGAN's file."""
    which: Which = "g_ema"
    """Weights to read if a StyleGAN's file has both: g_ema, their running mean, or g, the weights as trained."""

    def __post_init__(self) -> None:
        if (self.what == "show") == bool(self.files):
            raise ValueError("name files for export and import, none for show")

    def run(self) -> int:
        """Show the cache, or export or import codes."""
        refuse_missing(each=[self.cache, *self.files], generators=[self.generator])
        from latentloop.cli.cache_jobs import export_cache, import_to_cache, show_cache

        return {"show": show_cache, "export": export_cache, "import": import_to_cache}[self.what](self)
