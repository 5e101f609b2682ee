"""The command `latentloop embed`."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.cli.complaints import complain
from latentloop.cli.console import say
from latentloop.cli.inputs import refuse_missing_photos
from latentloop.cli.options import UNTITLED, required
from latentloop.embedding.options import EmbedOptions


@dataclass(frozen=True)
class Embed:
    """Find the code of each photo, and save it with the image it draws and a report.

    Takes files, folders and quoted globs. Each photo's face is found and aligned as in FFHQ. Then its code is
    predicted by an embedding network in one pass, or optimized, or both in this order. The folder --out gets the code
    as NAME.npz, the reconstruction as NAME.png, the target as aligned/NAME.png, and the reconstruction of the
    network's own code as one-pass/NAME.png. About the photos of this run it gets results.json and report.html;
    results.jsonl gets a line as soon as a photo is done. The report of more than 200 photos shows all metrics, the 20
    worst photos and 20 others, with pages in report/. Run the command again and finished work is skipped.

    One photo: latentloop embed photo.jpg

    Many: latentloop embed holiday/ "more/*.png" --out codes --steps 200

    An FFHQ-aligned image, closer to it: latentloop embed face.png --aligned --steps 300

    A rough code, quickly: latentloop embed photo.jpg --quality instant

    Thousands, only codes and metrics: latentloop embed "photos/{00..99}/*.jpg" --no-pictures

    As close as it gets: latentloop embed photo.jpg --quality best

    In one pass: latentloop embed photo.jpg --method embed

    With your own network: latentloop embed photo.jpg --embedder run/best.safetensors

    With your own StyleGAN: latentloop embed photo.jpg --generator ffhq.pkl --embedder e4e_ffhq_encode.pt

    Continue from earlier codes: latentloop embed holiday/ --start codes --out better
    """

    photos: Annotated[tuple[str, ...], tyro.conf.Positional, required("PHOTO...")]
    """Image files, folders, quoted globs, also with braces."""
    out: Path = Path("embedded")
    """Folder for the codes and reconstructions."""
    options: Annotated[EmbedOptions, UNTITLED] = EmbedOptions()
    force: bool = False
    """Recompute finished results."""

    def __post_init__(self) -> None:
        if not self.photos:
            raise ValueError("name at least one photo, folder or glob")

    def run(self) -> int:
        """Embed the photos; returns 2 if a photo failed or a foreign file is in the way of the report."""
        start = self.options.start
        refuse_missing_photos(
            self.photos,
            each=[] if start in ("auto", "average", "sample") else [start],
            generators=[self.options.common.generator],
            embedders=[self.options.search.embedder],
        )
        from latentloop.cli.embed_progress import EmbedProgress
        from latentloop.embedding import Failed, embed_files

        run = embed_files(self.photos, self.out, self.options, force=self.force, warn=complain)
        photos, failed = set[Path](), False
        try:
            with EmbedProgress(len(run.photos), run.steps) as progress, closing(run.outcomes(progress.step)) as results:
                for outcome in results:
                    photos.add(outcome.photo)
                    progress.done(outcome, len(photos))
                    failed |= isinstance(outcome, Failed)
        finally:
            for report in run.reports:
                say(report)
        return 2 if failed or not run.with_report else 0
