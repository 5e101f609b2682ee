"""Implementation of `latentloop export web`."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from latentloop.cli.console import say, track
from latentloop.defaults import GENERATOR, QUICK_GENERATOR, WORKING_SIZE
from latentloop.editing import shipped_directions
from latentloop.encoders import Embedder, load_encoder
from latentloop.errors import UserError
from latentloop.export import ExportOptions, set_up_export
from latentloop.export.options import PartName
from latentloop.generators import Generator, load_generator
from latentloop.generators.registry import draws_faces
from latentloop.web_site import check_site, write_site


def export_web(out: Path, options: ExportOptions) -> int:
    """Export the networks that the page needs, and write the page with them.

    Args:
        out: Folder for the page.
        options: Generator and embedding network; the default generator is replaced by its smaller version.

    Raises:
        UserError: The page is not built, the folder holds something else, or the page cannot use the networks.
    """
    check_site(out)
    quick = replace(options, generator=QUICK_GENERATOR) if options.generator == GENERATOR else options
    generator = load_generator(quick.generator, which=quick.which)
    refuse_unfit(generator, quick.embedder)
    parts: list[PartName] = ["generator", "embedder"] if quick.embedder else ["generator"]  # the package has the rest
    with TemporaryDirectory() as folder:
        job = set_up_export(parts, Path(folder), replace(quick, half=True, share=False))
        for _ in track(job.run(), len(job.parts), "networks"):
            pass
        site = write_site(Path(folder), out, shipped_directions(generator))
    say(f"{out}: a page for {generator.name}, of which a visitor loads {site.visit() / 1e6:.1f} MB")
    say(f"to look at it: python -m http.server -d {out} 8000, then http://localhost:8000")
    return 0


def refuse_unfit(generator: Generator, embedder: str | None) -> None:
    """Check that the page can use the networks.

    Raises:
        UserError: The generator does not draw faces of the bundled latent space at 256 pixels, or the embedding network
            takes images of another size or no second look.
    """
    if not draws_faces(generator) or generator.resolution != WORKING_SIZE:
        wanted = f"the page is for generators of {WORKING_SIZE} pixels with the codes of {QUICK_GENERATOR}"
        raise UserError(f"{wanted}, which {generator.name} is not", arguments="generator")
    encoder = load_encoder(embedder, generator) if embedder else None
    if encoder and not (isinstance(encoder, Embedder) and encoder.second and encoder.resolution == WORKING_SIZE):
        wanted = f"the page is for networks of latentloop train that take a second look, at {WORKING_SIZE} pixels"
        raise UserError(f"{wanted}, which {embedder} does not", arguments="embedder")
