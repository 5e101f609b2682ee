"""Whose codes are edited: faces of photos, code files, random samples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from latentloop.defaults import MAX_PIXELS, SAMPLE_PSI
from latentloop.embedding.result_folder import ResultFolder
from latentloop.errors import UserError
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.images import read_image
from latentloop.latents import sample_codes
from latentloop.latents.code_file import Code, is_code_file, load_code, start_from
from latentloop.latents.foreign_files import read_latents
from latentloop.photos.find import find_photos, matches

SEED = "seed:"
EDIT = "edit"
"""What a code file's details say of how it was edited."""
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
    codes: tuple[Code, ...] = ()
    """What the codes' files say, as far as they are ours."""

    @property
    def edited(self) -> bool:
        """Whether the codes are no longer those of the photo as it is."""
        return any(EDIT in code.details for code in self.codes)


def expand(arguments: Iterable[str]) -> list[str]:
    """What folders and globs among the arguments name, in order: of a folder the code files, if any, else the photos.

    Raises:
        UserError: One names nothing.
    """
    found: list[str] = []
    for argument in arguments:
        if not argument:
            raise UserError("one of the pictures has an empty name")
        found += [argument] if argument.startswith(SEED) else map(str, _named_by(argument))
    return found


def once(arguments: Iterable[str]) -> list[str]:
    """Arguments of `expand` in their order, each file once, however it is written."""
    found: dict[str, str] = {}
    for argument in arguments:
        found.setdefault(place_of(argument), argument)
    return list(found.values())


def place_of(argument: str) -> str:
    """What tells an argument's file from another, however it is written."""
    return argument if argument.startswith(SEED) else str(Path(argument).resolve())


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


def subjects_of(
    argument: str, generator: Generator, *, photos: Path | None = None, max_pixels: int = MAX_PIXELS
) -> list[Subject]:
    """The subjects of a code file, a file with codes of another project, or of "seed:" and a number.

    Args:
        argument: One of `expand`'s that `is_coded`.
        generator: Whose codes they are.
        photos: Of the code files, to put faces back into: a photo, or the folder with those that the files name.
        max_pixels: As for `read_image`.

    Raises:
        UserError: It cannot be used, or the photo is not there, or another one.
    """
    if argument.startswith(SEED):
        return [_sample(argument, generator)]
    path = Path(argument)
    if path.is_file() and is_code_file(path):
        w_plus, code = start_from(path, generator), load_code(path)
        aligned = ResultFolder(path.parent).paths(path.stem).aligned
        origin = _origin_of(path, code, photos, max_pixels) if photos else None
        return [Subject(path.stem, w_plus, origin, (aligned,) if aligned.is_file() else (), (code,))]
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
    codes = tuple(load_code(one.code) for one in paths)
    w_plus = torch.cat([start_from(one.code, generator) for one in paths])
    quads = torch.stack([code.quad for code in codes])
    origin = Origin(photo, read_image(photo, max_pixels=max_pixels), quads)
    return Subject(_stem(codes, names), w_plus, origin, tuple(one.aligned for one in paths), codes)


def _stem(codes: Sequence[Code], names: Sequence[str]) -> str:
    """The names of a photo's results without the number of the face, where all faces were asked for."""
    return names[0].rpartition("-face")[0] if codes[0].details["photo"]["faces"] else names[0]


def _sample(argument: str, generator: Generator) -> Subject:
    number = argument.removeprefix(SEED)
    if not number.isdecimal() or int(number) >= 2**64:
        raise UserError(f"{argument}: a sample is seed: and a number, such as seed:7")
    randomness = torch.Generator().manual_seed(int(number))
    with torch.no_grad():
        w_plus = sample_codes(generator, 1, randomness=randomness, truncation_psi=SAMPLE_PSI)
    return Subject(f"seed-{number}", w_plus)


def _origin_of(path: Path, code: Code, photos: Path, max_pixels: int) -> Origin:
    """The photo that a code is of."""
    told = code.details.get("photo")
    if not isinstance(told, dict) or not {"file", "sha256"} <= told.keys():
        raise UserError(f"{path}: does not say which photo it is of; leave --photos out")
    photo = photos / Path(str(told["file"])).name if photos.is_dir() else photos
    if not photo.is_file():
        raise UserError(f"{path}: its photo, {photo}, is not there; see --photos")
    image = read_image(photo, max_pixels=max_pixels)
    if (image.shape[-1], image.shape[-2]) != code.original_size or told["sha256"] != sha256_of(photo):
        raise UserError(f"{photo}: not the photo that {path} is the code of")
    return Origin(photo, image, code.quad[None])
