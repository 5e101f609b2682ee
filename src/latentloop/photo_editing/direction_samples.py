"""Sample pictures to be scored, from which InterFaceGAN learns the direction of an attribute.

| file | content |
|---|---|
| `image-00000.png` ... | random pictures, of 256 pixels at most |
| `codes.safetensors` | `w`, their styles, (N, w_dim), and the generator that these belong to |
| `scores.csv` | one line per picture; users add a column of numbers per attribute |
"""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import torch
from torch import Tensor

from latentloop.editing import sample_w
from latentloop.errors import UserError, in_one_line, shown
from latentloop.files import naming_unreadable, refuse_no_file, replacing
from latentloop.folder_lock import sole_use
from latentloop.generators import Generator
from latentloop.images import resample, write_png
from latentloop.latents import broadcast
from latentloop.ownership import mark, marked_by, refuse_foreign
from latentloop.weights import WeightsFile, read_ours, write_ours

CODES, SCORES, IMAGE = "codes.safetensors", "scores.csv", "image"
NAME = "samples"
COMMAND = "directions"
"""Command whose mark the pictures carry."""
PICTURE_SIZE = 256
"""Largest size of the pictures, in pixels."""


@dataclass(frozen=True)
class Samples:
    """Random styles, and the files with their pictures."""

    w: Tensor
    """Styles of the pictures in W, (N, w_dim)."""
    names: tuple[str, ...]
    """File names of the pictures."""


@torch.inference_mode()
def draw_scorable(generator: Generator, out: Path, count: int, *, seed: int) -> Iterator[Path]:
    """Draw random pictures without truncation, and yield each file once it is written; codes and scores come last.

    Args:
        generator: Generator that draws the pictures.
        out: Folder without samples.
        count: Number of pictures.
        seed: Seed of z; the styles are the same on every device.

    Raises:
        UserError: The folder has samples already, foreign pictures, or is in use; or the generator has no mapping to W.
    """
    w = sample_w(generator, count, torch.Generator().manual_seed(seed))
    if (out / SCORES).exists() or ((out / CODES).exists() and not _is_of(out, generator, w)):
        raise UserError(f"{out}: has samples already; name another folder", arguments="out")
    size, coarse = min(PICTURE_SIZE, generator.resolution), generator.resolution % PICTURE_SIZE == 0
    names = [f"image-{i:05d}.png" for i in range(count)]
    refuse_foreign([out / name for name in names], marked_by(COMMAND))
    with sole_use(out):
        for name, style in zip(names, w, strict=True):
            w_plus = broadcast(style[None], generator.num_ws).to(generator.latent_avg)
            image = generator.synthesis(w_plus, resolution=size if coarse else None)
            write_png(out / name, resample(image, size), comment=mark(COMMAND))
            yield out / name
        yield _save_codes(out / CODES, w, names, generator)
        yield _template(out / SCORES, names)


def read_samples(folder: Path, generator: Generator) -> Samples:
    """Read the samples that `draw_scorable` wrote into a folder.

    Raises:
        UserError: The folder has none, or they are damaged or belong to another generator.
    """
    path = folder / CODES
    if not path.is_file():
        raise UserError(f"{path}: no such file; latentloop directions samples makes one")
    ours = read_ours(
        WeightsFile(path), NAME, what="a file of samples", advice="latentloop directions samples makes one"
    )
    try:
        w, names, whose = ours.tensors["w"], tuple(ours.settings["images"]), ours.settings["fingerprint"]
        if not all(isinstance(name, str) for name in names):
            raise TypeError("names of pictures must be texts")
        if w.ndim != 2 or len(w) != len(names) or not w.isfinite().all():
            raise ValueError(f"{len(names)} pictures and styles {tuple(w.shape)}, or numbers that are not finite")
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged, or from another version of latentloop: {in_one_line(error)}") from error
    if (whose, w.shape[1]) != (generator.fingerprint, generator.w_dim):
        raise UserError(
            f"{path}: of {shown(ours.settings.get('generator'))}, whose codes are not those of {generator.name}"
        )
    return Samples(w, names)


def _is_of(folder: Path, generator: Generator, w: Tensor) -> bool:
    """Tell whether a run killed before its last file had drawn these styles."""
    try:
        return torch.equal(read_samples(folder, generator).w, w)
    except UserError:
        return False


def read_scores(path: Path, attribute: str, names: Sequence[str]) -> Tensor:
    """Read a column of a table of scores, (N,); NaN for pictures without a score.

    Args:
        path: CSV file with a header; its column `image` has the pictures' names or paths.
        attribute: Column of the scores.
        names: Names of the N pictures.

    Raises:
        UserError: The file or column does not exist, a picture is unknown or listed twice, or a score is not a number.
    """
    refuse_no_file(path, what="a table of scores")
    place = {name: i for i, name in enumerate(names)}
    scores: dict[int, float] = {}
    try:
        with naming_unreadable(path), path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            _check_columns(path, table.fieldnames or [], attribute)
            for row in table:
                at, where = place.get(PurePath(row[IMAGE] or "").name), f"{path}, line {table.line_num}"
                if at is None or at in scores:
                    raise UserError(f"{where}: {shown(row[IMAGE])} is not one of the samples, or is listed twice")
                scores[at] = _number(row[attribute], where)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV table: {in_one_line(error)}") from error
    return torch.tensor([scores.get(i, math.nan) for i in range(len(names))])


def _check_columns(path: Path, columns: Sequence[str], attribute: str) -> None:
    if missing := [name for name in (IMAGE, attribute) if name not in columns]:
        there = in_one_line(Exception(", ".join(columns))) if columns else "none"
        raise UserError(f"{path}: has no column {missing[0]}; its columns: {there}")


def _number(text: str | None, where: str) -> float:
    if text is None or not text.strip():
        return math.nan
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{where}: {shown(text)} is not a number; leave cells without a score empty") from error


def _save_codes(path: Path, w: Tensor, names: Sequence[str], generator: Generator) -> Path:
    settings = {"fingerprint": generator.fingerprint, "generator": generator.name, "images": list(names)}
    write_ours(path, NAME, {"w": w.float().contiguous()}, settings)
    return path


def _template(path: Path, names: Sequence[str]) -> Path:
    with replacing(path) as part:
        part.write_text("\n".join([IMAGE, *names, ""]), encoding="utf-8")
    return path
