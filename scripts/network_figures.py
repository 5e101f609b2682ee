"""Measure embedding networks on held-out faces, part by part, and draw what they see.

    python scripts/network_figures.py base-ffhq run/last.safetensors --photos held-out --sheet sheet.png

Photos are square and aligned; the beginning of a name, up to the first "-", tells its part. The sheet has a row for
every photo (the first --shown of them): the photo, and one pass of each network.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch import Tensor

from latentloop.allocator import keep_freed_memory
from latentloop.encoders import TwoLooks, load_embedder
from latentloop.errors import UserError
from latentloop.evaluation.measure import load_evaluator
from latentloop.evaluation.one_pass import Encode, measure_by_part
from latentloop.generators import Generator, load_generator
from latentloop.images import write_png
from latentloop.photos.find import find_training_photos
from latentloop.pictures.sheet import contact_sheet
from latentloop.training.photos import PhotoSet

SHOWN = ("n", "lpips_alex", "mse", "id", "contrast", "detail", "cheeks", "mouth")
"""Figures in the table."""
AT_ONCE = 5


@dataclass(frozen=True)
class Figures:
    """Measure networks on photos."""

    networks: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Networks: shipped ones by name, or files."""
    photos: tuple[str, ...]
    """Aligned photos: folders, quoted globs, tar files."""
    generator: str = "mobile-ffhq-256"
    """Generator that draws the codes."""
    every: int = 1
    """Measure each so many-th photo."""
    sheet: Path | None = None
    """File for the sheet."""
    shown: int = 24
    """Photos in the sheet."""
    json: Path | None = None
    """File for all figures."""

    def run(self) -> None:
        """Print a table for each network; write the sheet."""
        keep_freed_memory()
        generator = load_generator(self.generator)
        networks = {name: load_embedder(name, generator) for name in self.networks}
        resolution = next(iter(networks.values())).resolution
        encoders: dict[str, Encode] = {}
        for name, network in networks.items():
            encoders |= {name: network}
            if network.second:
                encoders |= {f"{name}, two looks": TwoLooks(network, generator)}
        photos = PhotoSet(find_training_photos(self.photos)[:: self.every], resolution)
        evaluator, found = load_evaluator(), {}
        for name, encode in encoders.items():
            found[name] = measure_by_part(encode, generator, photos.batches(AT_ONCE), evaluator)
            print(f"{name}\n{table(found[name])}", flush=True)
        if self.json:
            self.json.write_text(json.dumps(found))
        if self.sheet:
            write_png(
                self.sheet,
                sheet(list(networks.values()), generator, photos.load(range(min(self.shown, len(photos)))).images),
            )


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    """Format the figures of one pass as a table of Markdown with a row for each part."""
    lines = [f"| part | {' | '.join(SHOWN)} |", "|---" * (len(SHOWN) + 1) + "|"]
    for part, figures in found.items():
        lines.append(f"| {part} | {' | '.join(f'{figures[name]:.3g}' for name in SHOWN)} |")
    return "\n".join(lines)


@torch.inference_mode()
def sheet(networks: Sequence[Encode], generator: Generator, photos: Tensor) -> Tensor:
    """The photos, (N, 3, R, R), and one pass of each network beside them, a row for each."""
    drawn = [
        torch.cat([generator.synthesis(encode(p), resolution=p.shape[-1]) for p in photos.split(1)])
        for encode in networks
    ]
    return contact_sheet(torch.stack([photos, *drawn], dim=1).flatten(0, 1).clamp(-1, 1), columns=1 + len(drawn))


if __name__ == "__main__":
    try:
        tyro.cli(Figures).run()
    except UserError as error:
        sys.exit(str(error))
