"""The work of `latentloop export web`."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from latentloop.cli.console import say, track
from latentloop.defaults import GENERATOR, QUICK_GENERATOR
from latentloop.editing import shipped_directions
from latentloop.export import ExportOptions, set_up_export
from latentloop.export.options import PartName
from latentloop.generators import load_generator
from latentloop.generators.registry import draws_faces
from latentloop.web_site import check_site, write_site


def export_web(out: Path, options: ExportOptions) -> int:
    """Export the networks that the page needs, and write the page with them.

    Args:
        out: Folder for the page.
        options: Generator and embedding network; the default generator stands for the quick one of its codes.

    Raises:
        UserError: The page is not built, the folder holds something else, or a network cannot be exported.
    """
    check_site(out)
    quick = replace(options, generator=QUICK_GENERATOR) if options.generator == GENERATOR else options
    generator = load_generator(quick.generator, which=quick.which)
    with TemporaryDirectory() as folder:
        job = set_up_export(wanted_parts(quick, ships=draws_faces(generator)), Path(folder), replace(quick, half=True))
        for _ in track(job.run(), len(job.parts), "networks"):
            pass
        site = write_site(Path(folder), out, shipped_directions(generator))
    say(f"{out}: a page for {generator.name}, of which a visitor loads {site.visit() / 1e6:.1f} MB")
    say(f"to look at it: python -m http.server -d {out} 8000, then http://localhost:8000")
    return 0


def wanted_parts(options: ExportOptions, *, ships: bool) -> list[PartName]:
    """Name the networks to export: those that the page cannot take from the package.

    Args:
        options: Generator and embedding network.
        ships: Whether the package has a mapping and an embedding network for the generator's codes.
    """
    parts: list[PartName] = ["generator"] if ships else ["generator", "mapping", "embedder"]
    return [*parts, "embedder"] if options.embedder and ships else parts
