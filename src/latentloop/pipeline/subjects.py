"""Whose codes are edited: faces of photos, code files, random samples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from latentloop.codes import Code, is_code_file, load_code, start_from
from latentloop.defaults import MAX_PIXELS, SAMPLE_PSI
from latentloop.errors import UserError
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.images import read_image
from latentloop.latent_files import read_latents
from latentloop.latents import sample_codes
from latentloop.pipeline.folder import ResultFolder
from latentloop.pipeline.photos import find_photos, matches

SEED = "seed:"
LATENTS = frozenset({".npz", ".npy", ".pt"})
"""Endings of files with codes."""


@dataclass(frozen=True)
class Origin:
    """The photo that faces are from, and go back into."""

    path: Path
    image: Tensor
    """(1, 3, H, W) in [-1, 1]."""
    quads: Tensor
    """Where each face lies in it, (F, 4, 2)."""


@dataclass(frozen=True)
class Subject:
    """The faces of one picture."""

    name: str
    w_plus: Tensor
    """Their codes, (F, num_ws, w_dim), on the generator's device."""
    origin: Origin | None = None
    """None for those of no photo."""
    aligned: tuple[Path, ...] = ()
    """Images of what each code was found for, as far as they are there."""


def expand(arguments: Iterable[str]) -> list[str]:
    """What folders and globs among the arguments name, each once: of a folder the code files, if any, else the photos.

    Raises:
        UserError: One names nothing.
    """
    found: list[str] = []
    for argument in arguments:
        found += [argument] if argument.startswith(SEED) else map(str, _named_by(argument))
    return list(dict.fromkeys(found))


def _named_by(argument: str) -> list[Path]:
    path = Path(argument)
    if path.is_dir():
        codes = sorted(code for code in path.glob("*.npz") if is_code_file(code))
        return codes or find_photos([argument])
    files = matches(argument)
    return files if files and all(is_coded(str(file)) for file in files) else find_photos([argument])


def is_coded(argument: str) -> bool:
    """Whether one of `expand`'s arguments is a code, or a file with some, rather than a photo."""
    return argument.startswith(SEED) or Path(argument).suffix.lower() in LATENTS


def subjects_of(argument: str, generator: Generator, *, photos: Path | None = None) -> list[Subject]:
    """The subjects of a code file, a file with codes of another project, or of "seed:" and a number.

    Args:
        argument: One of `expand`'s that `is_coded`.
        generator: Whose codes they are.
        photos: Of the code files, to put faces back into: a photo, or the folder with those that the files name.

    Raises:
        UserError: It cannot be used, or the photo is not there, or another one.
    """
    if argument.startswith(SEED):
        return [_sample(argument, generator)]
    path = Path(argument)
    if path.is_file() and is_code_file(path):
        aligned = ResultFolder(path.parent).paths(path.stem).aligned
        beside = (aligned,) if aligned.is_file() else ()
        return [Subject(path.stem, start_from(path, generator), _origin_of(path, photos) if photos else None, beside)]
    latents = read_latents(path, generator)
    codes = latents.codes.to(generator.latent_avg)
    numbered = [path.stem] if len(codes) == 1 else [f"{path.stem}-{i}" for i in range(len(codes))]
    return [Subject(name, one[None]) for name, one in zip(latents.names or numbered, codes, strict=True)]


def subject_of_photo(
    photo: Path, names: Sequence[str], folder: ResultFolder, generator: Generator, *, max_pixels: int = MAX_PIXELS
) -> Subject:
    """The faces of a photo that `embed` found the codes of.

    Args:
        photo: The file.
        names: Of its results, a name for each face.
        folder: Where they lie.
        generator: Whose codes they are.
        max_pixels: As for `read_image`.
    """
    paths = [folder.paths(name) for name in names]
    quads = torch.stack([load_code(one.code).quad for one in paths])
    w_plus = torch.cat([start_from(one.code, generator) for one in paths])
    origin = Origin(photo, read_image(photo, max_pixels=max_pixels), quads)
    return Subject(_stem(names), w_plus, origin, tuple(one.aligned for one in paths))


def _stem(names: Sequence[str]) -> str:
    """What the names of a photo's results have in common."""
    stem, face, number = names[0].rpartition("-face")
    return stem if len(names) > 1 and face and number.isdecimal() else names[0]


def _sample(argument: str, generator: Generator) -> Subject:
    number = argument.removeprefix(SEED)
    if not number.isdecimal() or int(number) >= 2**64:
        raise UserError(f"{argument}: a sample is seed: and a number, such as seed:7")
    randomness = torch.Generator().manual_seed(int(number))
    with torch.no_grad():
        w_plus = sample_codes(generator, 1, randomness=randomness, truncation_psi=SAMPLE_PSI)
    return Subject(f"seed-{number}", w_plus)


def _origin_of(path: Path, photos: Path) -> Origin:
    """The photo that a code is of."""
    code = load_code(path)
    told = _told(code)
    photo = photos / str(told.get("file", path.stem)) if photos.is_dir() else photos
    if not photo.is_file():
        raise UserError(f"{path}: its photo, {photo}, is not there; see --photos")
    image = read_image(photo)
    same_size = (image.shape[-1], image.shape[-2]) == code.original_size
    if not same_size or ("sha256" in told and told["sha256"] != sha256_of(photo)):
        raise UserError(f"{photo}: not the photo that {path} is the code of")
    return Origin(photo, image, code.quad[None])


def _told(code: Code) -> dict[str, object]:
    """What a code says of its photo."""
    told = code.details.get("photo")
    return told if isinstance(told, dict) else {}
