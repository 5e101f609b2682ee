"""Finding directions, and showing what they do."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from latentloop.editing import (
    Direction,
    boundary,
    boundary_direction,
    directions_in,
    edit,
    ganspace_directions,
    parse_layers,
    read_directions,
    sample_w,
    sefa_directions,
    shipped_directions,
)
from latentloop.editing.layers import describe_layers
from latentloop.errors import UserError, in_one_line
from latentloop.generators import Generator
from latentloop.latents import sample_codes
from latentloop.photo_editing.direction_options import DirectionOptions
from latentloop.photo_editing.direction_samples import SCORES, read_samples, read_scores
from latentloop.pictures.labelled import labelled_grid
from latentloop.weights import is_safetensors

STRENGTHS = (-3, -2, -1, 0, 1, 2, 3)
SHEET_TILE = 128
"""Pixels of an image on the sheet."""
SHEET_PSI = 0.7


@dataclass(frozen=True)
class Scored:
    """A folder of pictures and their scores."""

    folder: Path
    attribute: str
    scores: Path | None = None
    """None for scores.csv in the folder."""


def find_unsupervised(
    generator: Generator, method: Literal["sefa", "ganspace"], *, count: int, layers: str, samples: int, seed: int
) -> list[Direction]:
    """Directions that need no scores, those of the most change first.

    Args:
        generator: Whose.
        method: How.
        count: How many.
        layers: Which they change; see `parse_layers`.
        samples: How many styles of W are looked at.
        seed: Of these.

    Raises:
        UserError: There are not so many, or the generator or an installation lacks what the method needs.
    """
    chosen, most = parse_layers(layers, generator.num_ws), min(generator.w_dim, samples - 1)
    if not 1 <= count <= most:
        raise UserError(f"--count {count}: {samples} samples of {generator.name} have 1 to {most} directions")
    w = sample_w(generator, samples, torch.Generator().manual_seed(seed))
    find = sefa_directions if method == "sefa" else ganspace_directions
    return find(generator, w, count, chosen)


def find_scored(generator: Generator, scored: Scored, *, layers: str, seed: int) -> list[Direction]:
    """The direction of an attribute that pictures were scored for.

    Args:
        generator: That drew them.
        scored: The pictures.
        layers: Which layers it changes; see `parse_layers`.
        seed: Of what is held out.

    Raises:
        UserError: Something is missing, damaged or another generator's; too few scores differ.
    """
    samples = read_samples(scored.folder, generator)
    scores = read_scores(scored.scores or scored.folder / SCORES, scored.attribute, samples.names)
    found = boundary(samples.w, scores, randomness=torch.Generator().manual_seed(seed))
    return [boundary_direction(found, generator, scored.attribute, parse_layers(layers, generator.num_ws))]


def find_directions(generator: Generator, options: DirectionOptions, *, seed: int) -> list[Direction]:
    """Find directions of a generator's latent space; those of the most change come first.

    Args:
        generator: Its weights, its codes or the pictures that it drew are looked at.
        options: The method, and what it takes.
        seed: Random seed.

    Raises:
        UserError: There are not so many; or the generator, the samples or the scores lack what the method needs.
    """
    if isinstance(options.samples, Path):
        scored = Scored(options.samples, str(options.attribute), options.scores)
        return find_scored(generator, scored, layers=options.layers, seed=seed)
    method: Literal["sefa", "ganspace"] = "sefa" if options.method == "sefa" else "ganspace"
    return find_unsupervised(
        generator, method, count=options.count, layers=options.layers, samples=options.samples, seed=seed
    )


@torch.inference_mode()
def draw_rows(
    generator: Generator, directions: Sequence[Direction], *, faces: int, seed: int
) -> Iterator[list[Tensor]]:
    """Draw random faces, each moved along each direction, and yield a row of images (1, 3, S, S) at a time.

    Args:
        generator: Draws.
        directions: One after the other.
        faces: Rows of each direction.
        seed: Of the faces.
    """
    randomness = torch.Generator().manual_seed(seed)
    codes = sample_codes(generator, faces, randomness=randomness, truncation_psi=SHEET_PSI)
    coarse = SHEET_TILE if generator.resolution % SHEET_TILE == 0 else None
    for direction in directions:
        for w_plus in codes:
            moved = [edit(w_plus[None], [(direction, strength)]) for strength in STRENGTHS]
            yield [generator.synthesis(code, resolution=coarse).cpu() for code in moved]


def sheet(rows: Sequence[Sequence[Tensor]], directions: Sequence[Direction]) -> Tensor:
    """What `draw_rows` drew, under strengths and beside names, (1, 3, H, W)."""
    each = len(rows) // len(directions)
    names = [direction.name if i == 0 else "" for direction in directions for i in range(each)]
    return labelled_grid(
        rows, [f"{strength:+d}" if strength else "0" for strength in STRENGTHS], names, tile=SHEET_TILE
    )


def known_directions(path: Path | None, generator: Generator) -> list[Direction]:
    """The directions of a file, whosever they are, or those that we ship for a generator.

    Raises:
        UserError: No such file, or none of directions.
    """
    if path is None:
        return list(shipped_directions(generator).values())
    ours = path.is_file() and is_safetensors(path)
    return list((read_directions(path) if ours else directions_in(path, generator)).values())


def table(directions: Sequence[Direction]) -> list[str]:
    """What is known of directions, a line each under a head."""
    rows = [
        (
            one.name,
            in_one_line(UserError(one.about.get("positive", "-"))),
            describe_layers(one.layers),
            measured(one),
            in_one_line(UserError(one.licence)),
        )
        for one in directions
    ]
    rows.insert(0, ("name", "positive", "layers", "measured", "licence"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _calibrated(about: Mapping[str, Any]) -> str:
    """What was measured of a direction that ships: its score at both ends, and what it costs."""
    low, high = (f"{about['scores'][i]:.3g} at {about['strengths'][i]:+g}" for i in (0, -1))
    lost = ", ".join(f"{cost:.2f} at {strength}" for strength, cost in about["identity lost"].items())
    return in_one_line(UserError(f"{about['score']}: {low}, {high}; identity lost: {lost}"))


def measured(direction: Direction) -> str:
    """What was measured of a direction, in a few words."""
    with suppress(LookupError, TypeError, ValueError, AttributeError, OverflowError):  # files may tell anything
        return _calibrated(direction.about)
    figures = {name: value for name, value in direction.about.items() if isinstance(value, int | float)}
    with suppress(OverflowError):  # an integer without end
        return in_one_line(UserError(", ".join(f"{name} {value:.4g}" for name, value in figures.items()) or "-"))
    return "-"
