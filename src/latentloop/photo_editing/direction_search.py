"""Search for directions of a generator, and sheets that show their effects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from latentloop.editing import (
    Direction,
    boundary,
    boundary_direction,
    edit,
    ganspace_directions,
    parse_layers,
    sample_w,
    sefa_directions,
)
from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.latents import sample_codes
from latentloop.photo_editing.direction_options import DirectionOptions
from latentloop.photo_editing.direction_samples import SCORES, read_samples, read_scores
from latentloop.pictures.labelled import labelled_grid

STRENGTHS = (-3, -2, -1, 0, 1, 2, 3)
"""Strengths in the columns of a sheet."""
SHEET_TILE = 128
"""Size of an image on the sheet, in pixels."""
SHEET_PSI = 0.7
"""Truncation psi of the random faces on the sheet."""


@dataclass(frozen=True)
class Scored:
    """A folder of sample pictures, and an attribute that they were scored for."""

    folder: Path
    """Folder that `draw_scorable` filled."""
    attribute: str
    """Column of the scores."""
    scores: Path | None = None
    """Table of the scores; None for scores.csv in the folder."""


def find_directions(generator: Generator, options: DirectionOptions, *, seed: int) -> list[Direction]:
    """Find directions with the method and settings of the options.

    Args:
        generator: Generator whose latent space is searched.
        options: Method and its settings.
        seed: Seed of the random codes, or of the choice of pictures held out for testing an attribute's direction.

    Raises:
        UserError: See `find_unsupervised` and `find_scored`.
    """
    if options.method == "interfacegan":
        scored = Scored(Path(str(options.samples)), str(options.attribute), options.scores)
        return find_scored(generator, scored, layers=options.layers, seed=seed)
    count, samples = options.count, int(str(options.samples))
    return find_unsupervised(generator, options.method, count=count, layers=options.layers, samples=samples, seed=seed)


def find_unsupervised(
    generator: Generator, method: Literal["sefa", "ganspace"], *, count: int, layers: str, samples: int, seed: int
) -> list[Direction]:
    """Find directions without scores, those with the largest effect first.

    Args:
        generator: Generator whose latent space is searched.
        method: "sefa" (Shen and Zhou, arXiv:2007.06600) or "ganspace" (Härkönen et al., arXiv:2004.02546).
        count: Number of directions.
        layers: Layers that they change, as `parse_layers` reads them.
        samples: Number of random styles that strengths are measured with; ganspace also finds its directions in them.
        seed: Seed of the random styles.

    Raises:
        UserError: The latent space has fewer directions, or the generator or the installation lacks what the method
            needs.
    """
    chosen, most = parse_layers(layers, generator.num_ws), min(generator.w_dim, samples - 1)
    if not 1 <= count <= most:
        message = f"{samples} samples of {generator.name} have 1 to {most} directions, got {count}"
        raise UserError(message, arguments="count")
    w = sample_w(generator, samples, torch.Generator().manual_seed(seed))
    find = sefa_directions if method == "sefa" else ganspace_directions
    return find(generator, w, count, chosen)


def find_scored(generator: Generator, scored: Scored, *, layers: str, seed: int) -> list[Direction]:
    """Find the direction of an attribute that pictures were scored for (InterFaceGAN, Shen et al., arXiv:1907.10786).

    Args:
        generator: Generator that drew the pictures.
        scored: Pictures and their scores.
        layers: Layers that the direction changes, as `parse_layers` reads them.
        seed: Seed of the choice of pictures held out for testing.

    Raises:
        UserError: A file is missing, damaged or belongs to another generator, or too few scores differ.
    """
    samples = read_samples(scored.folder, generator)
    scores = read_scores(scored.scores or scored.folder / SCORES, scored.attribute, samples.names)
    found = boundary(samples.w, scores, randomness=torch.Generator().manual_seed(seed))
    return [boundary_direction(found, generator, scored.attribute, parse_layers(layers, generator.num_ws))]


@torch.inference_mode()
def draw_rows(
    generator: Generator, directions: Sequence[Direction], *, faces: int, seed: int
) -> Iterator[list[Tensor]]:
    """Draw random faces moved along directions; yields rows of images (1, 3, S, S), one per strength.

    Args:
        generator: Generator that draws the faces.
        directions: Directions, whose rows follow one after the other.
        faces: Number of faces, one row each.
        seed: Seed of the faces.
    """
    randomness = torch.Generator().manual_seed(seed)
    codes = sample_codes(generator, faces, randomness=randomness, truncation_psi=SHEET_PSI)
    coarse = SHEET_TILE if generator.resolution % SHEET_TILE == 0 else None
    for direction in directions:
        for w_plus in codes:
            moved = [edit(w_plus[None], [(direction, strength)]) for strength in STRENGTHS]
            yield [generator.synthesis(code, resolution=coarse).cpu() for code in moved]


def sheet(rows: Sequence[Sequence[Tensor]], directions: Sequence[Direction]) -> Tensor:
    """Arrange the rows of `draw_rows` with strengths above and direction names beside them, (1, 3, H, W)."""
    each = len(rows) // len(directions)
    names = [direction.name if i == 0 else "" for direction in directions for i in range(each)]
    columns = [f"{strength:+d}" if strength else "0" for strength in STRENGTHS]
    return labelled_grid(rows, columns, names, tile=SHEET_TILE)
