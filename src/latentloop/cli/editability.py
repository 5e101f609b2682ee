"""The command `latentloop bench editability`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.benchmark.editability_options import EditabilityOptions
from latentloop.cli.complaints import complain
from latentloop.cli.console import StageProgress, say
from latentloop.cli.inputs import refuse_missing_photos
from latentloop.cli.options import UNTITLED, required


@dataclass(frozen=True)
class Editability:
    """Measure how well the codes of photos edit, after one pass of the network and after steps of the iterator.

    The table has one row per number of steps, with means over the photos: how close the reconstructions are (MSE,
    LPIPS, ID), the distance from the network's codes, the nearness to random codes (style cosine, spread), the loss
    when an edit is drawn, embedded and undone (LEC, cycle LPIPS), and the identity after edits of equal visible
    strength. Everything is drawn at 256 pixels. The folder --out gets the codes as latentloop embed writes them, in
    steps-N, with their metrics, and the table as editability.md and editability.json. A stopped run continues when it
    is started again.

    On the sample photos: latentloop bench editability examples/photos --steps 0 50
    """

    photos: Annotated[tuple[str, ...], tyro.conf.Positional, required("PHOTO...")]
    """Image files, folders, quoted globs."""
    out: Path = Path("editability")
    """Folder for the codes and figures; run it again and it continues where it stopped."""
    options: Annotated[EditabilityOptions, UNTITLED] = EditabilityOptions()

    def __post_init__(self) -> None:
        if not self.photos:
            raise ValueError("name at least one photo, folder or glob")

    def run(self) -> int:
        """Measure the codes and print the table; returns 2 if a photo was left out."""
        refuse_missing_photos(
            self.photos, generators=[self.options.common.generator], embedders=[self.options.embedder]
        )
        from latentloop.benchmark import measure_editability
        from latentloop.benchmark.editability_files import FIGURES, TABLE, table_head, table_line

        said = dict[str, None]()
        with StageProgress() as progress:
            rows = measure_editability(self.photos, self.out, self.options, warn=complain, on_progress=progress.show)
            for i, row in enumerate(rows):
                for error in row.left_out:
                    if str(error) not in said:
                        complain(error)
                    said[str(error)] = None
                for line in (*(table_head() if i == 0 else ()), table_line(row)):
                    say(line)
        for name in (TABLE, FIGURES):
            say(self.out / name)
        return 2 if said else 0
