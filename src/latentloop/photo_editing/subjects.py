"""Subjects of an edit: faces of a photo, a code file or a random sample, with their codes."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentloop.defaults import MAX_PIXELS, SAMPLE_PSI
from latentloop.embedding.result_folder import ResultFolder
from latentloop.errors import UserError
from latentloop.faces import crop_quad
from latentloop.generators import Generator, Refinement
from latentloop.generators.registry import renderers_of
from latentloop.hub import local_codes
from latentloop.images import decode_image, read_image
from latentloop.latents import sample_codes
from latentloop.latents.code_file import Code, as_start, is_code_file, load_code
from latentloop.latents.foreign_files import read_latents
from latentloop.photos.find import find_photos, matches
from latentloop.records.folder import RecordFolder
from latentloop.records.naming import is_record_folder, split_record

SEED = "seed:"
"""Prefix of arguments that name a random sample, as in "seed:7"."""
EDIT = "edit"
"""Entry of a code file's details that records the edit."""
LATENTS = frozenset({".npz", ".npy", ".pt"})
"""Suffixes of files with codes."""


@dataclass(frozen=True)
class Origin:
    """Photo that faces come from and are pasted into."""

    path: Path | None
    """File of the photo; None for a photo in memory."""
    image: Tensor
    """Whole photo, (1, 3, H, W) in [-1, 1]."""
    quads: Tensor
    """Aligned square of each face in the photo, (F, 4, 2), in pixels."""


@dataclass(frozen=True)
class Subject:
    """The faces of one picture, with their codes."""

    name: str
    w_plus: Tensor
    """Codes of the faces, (F, num_ws, w_dim), on the generator's device."""
    origin: Origin | None = None
    """Photo of the faces; None for faces without one."""
    aligned: tuple[Path | Tensor, ...] = ()
    """Aligned images that the codes reconstruct, (1, 3, S, S) in [-1, 1] or files; empty if unknown."""
    codes: tuple[Code, ...] = ()
    """Contents of the code files; empty for codes from other files."""
    reconstructions: tuple[Path | Tensor, ...] = ()
    """Images that the codes draw, (1, 3, S, S) in [-1, 1] or files; empty if unknown."""
    seed: str | None = None
    """Argument that names a random sample, such as "seed:7"."""
    drawn_by: tuple[Generator | None, ...] = ()
    """Refined generator of each face, None without a refinement; empty if no face has one."""

    @property
    def already_edited(self) -> bool:
        """True if the codes were edited before, and so do not reconstruct the photo."""
        return any(EDIT in code.details for code in self.codes)

    @property
    def refinements(self) -> tuple[Refinement | None, ...]:
        """Refinement of each face's code; None without one."""
        return tuple(code.refinement for code in self.codes) or (None,) * len(self.w_plus)

    @cached_property
    def reconstruction_images(self) -> tuple[Tensor, ...]:
        """Images that the codes draw, (1, 3, S, S) in [-1, 1], if known; files are read once."""
        return tuple(read_image(one) if isinstance(one, Path) else one for one in self.reconstructions)

    @cached_property
    def aligned_images(self) -> tuple[Tensor, ...]:
        """Aligned images that the codes reconstruct, (1, 3, S, S) in [-1, 1]; files are read once."""
        return tuple(read_image(one) if isinstance(one, Path) else one for one in self.aligned)

    @property
    def source(self) -> str:
        """Identifier that distinguishes subjects of one name: checksum of the photo or of the codes, or the seed."""
        photo = _photo_of(self.codes[0]) if self.codes else None
        if photo:
            return str(photo["sha256"])
        return self.seed or hashlib.sha256(self.w_plus.cpu().numpy().tobytes()).hexdigest()


def expand_arguments(arguments: Iterable[str]) -> list[str]:
    """List what folders and globs among arguments name, in order; for a folder its code files, if any, else its photos.

    Raises:
        UserError: An argument names nothing.
    """
    found: list[str] = []
    for argument in arguments:
        if not argument:
            raise UserError("one of the pictures has an empty name")
        found += [argument] if argument.startswith(SEED) else _named_by(local_codes(argument))
    return found


def unique_paths(arguments: Iterable[str]) -> list[str]:
    """Drop arguments that name the same file again, however they are written; the order is kept."""
    found: dict[str, str] = {}
    for argument in arguments:
        found.setdefault(canonical(argument), argument)
    return list(found.values())


def canonical(argument: str) -> str:
    """Return the canonical spelling of an argument: the resolved path of a file."""
    return argument if argument.startswith(SEED) else str(Path(argument).resolve())


def _named_by(argument: str) -> list[str]:
    path = Path(argument)
    if is_record_folder(path):
        return [f"{argument}:{name}" for name in RecordFolder(path).names()]
    if path.is_dir():
        codes = sorted(code for code in path.glob("*.npz") if is_code_file(code))
        return list(map(str, codes or find_photos([argument])))
    if split_record(argument):
        return [argument]
    files = matches(argument)
    coded = files and all(is_coded(str(file)) for file in files)
    return list(map(str, files if coded else find_photos([argument])))


def is_coded(argument: str) -> bool:
    """Tell whether an argument names codes, in a file, a record or by a seed, rather than a photo."""
    if argument.startswith(SEED) or Path(argument).suffix.lower() in LATENTS:
        return True
    return split_record(argument) is not None


def subjects_of(
    argument: str, generator: Generator, *, photos: Path | None = None, max_pixels: int = MAX_PIXELS
) -> list[Subject]:
    """Read the subjects of a file with codes, or draw the sample of "seed:" and a number.

    Args:
        argument: Argument for which `is_coded` is true; "FOLDER:PHOTO" names a record of `latentloop bulk`.
        generator: Generator that the codes belong to.
        photos: Photo to paste the face of a code file into, or the folder with the photos that code files name.
        max_pixels: Largest number of pixels of a photo.

    Raises:
        UserError: The argument cannot be used, or the photo is missing or another one.
    """
    if argument.startswith(SEED):
        return [_sample(argument, generator)]
    path = Path(argument)
    if record := split_record(argument):
        code = _opened(record[0]).code(record[1])
        alone = Subject(_name_of_record(code), as_start(code, generator, path), codes=(code,))
        return [_with_photo(alone, path, photos, generator, max_pixels) if photos else alone]
    if path.is_file() and is_code_file(path):
        code = load_code(path)
        w_plus, aligned = as_start(code, generator, path), ResultFolder(path.parent).paths(path.stem).aligned
        alone = Subject(path.stem, w_plus, None, (aligned,) if aligned.is_file() else (), (code,))
        return [_with_photo(alone, path, photos, generator, max_pixels) if photos else alone]
    latents = read_latents(path, generator)
    codes = latents.codes.to(generator.latent_avg)
    numbered = [path.stem] if len(codes) == 1 else [f"{path.stem}-{i}" for i in range(len(codes))]
    return [Subject(name, one[None]) for name, one in zip(latents.names or numbered, codes, strict=True)]


@lru_cache(maxsize=1)  # the index of a record folder is read once for all faces that are edited
def _opened(folder: Path) -> RecordFolder:
    return RecordFolder(folder)


def _name_of_record(code: Code) -> str:
    """Name the results of a record: the photo's stem, and the face's number, if it has several."""
    photo = code.details["photo"]
    name = photo["file"].replace(":", "-") if ":" in photo["file"] else Path(photo["file"]).stem
    return f"{name}-face{photo['face']}" if photo["faces"] else name


def _with_photo(subject: Subject, path: Path, photos: Path, generator: Generator, max_pixels: int) -> Subject:
    """Add the photo that the code of a subject comes from."""
    (code,) = subject.codes
    photo, image = _read_photo_of(code, path, photos, max_pixels)
    # Pasting transfers the photo's fine detail from this image to the edited face.
    cut_out = subject.aligned or (_cut_out(image, code, generator),)
    return replace(subject, origin=Origin(photo, image, code.quad[None]), aligned=cut_out)


def subject_of_photo(
    photo: Path, names: Sequence[str], folder: ResultFolder, generator: Generator, *, max_pixels: int = MAX_PIXELS
) -> Subject:
    """Read the faces of a photo whose codes are in a result folder; each file is read once.

    Args:
        photo: File of the photo.
        names: Names of its results, one per face.
        folder: Folder of the results.
        generator: Generator that the codes belong to.
        max_pixels: Largest number of pixels of the photo.

    Raises:
        UserError: A file is missing or damaged, or a code belongs to another generator.
    """
    paths = [folder.paths(name) for name in names]
    codes = [load_code(one.code) for one in paths]
    # If all faces were embedded, the edit's name is that of the photo, without the number of a face.
    name = names[0].rpartition("-face")[0] if codes[0].details["photo"]["faces"] else names[0]
    image, aligned = read_image(photo, max_pixels=max_pixels), list[Path | Tensor]()
    for one, code in zip(paths, codes, strict=True):
        aligned.append(one.aligned if one.aligned.is_file() else _cut_out(image, code, generator))
    subject = subject_of_codes(name, codes, generator, photo=image, path=photo, aligned=aligned)
    drawn = tuple(one.reconstruction for one in paths if one.reconstruction.is_file())
    return replace(subject, reconstructions=drawn if len(drawn) == len(codes) else ())


def subject_of_codes(
    name: str,
    codes: Sequence[Code],
    generator: Generator,
    *,
    photo: Tensor | None = None,
    path: Path | None = None,
    aligned: Sequence[Tensor | Path] = (),
) -> Subject:
    """Create a subject from codes in memory.

    Args:
        name: Base name of its results.
        codes: Code of each face, with its quad and the photo's size.
        generator: Generator that the codes belong to.
        photo: Photo to paste the faces into, (1, 3, H, W) in [-1, 1]; None draws the faces alone.
        path: File of the photo, if it has one; results take its colour profile, and never replace it.
        aligned: Aligned image of each face, (1, 3, S, S) in [-1, 1] or a file, if known.

    Raises:
        UserError: A code belongs to another generator.
        ValueError: The photo's size is not the one stored with the codes.
    """
    w_plus = torch.cat([as_start(code, generator, name) for code in codes])
    if photo is None:
        return Subject(name, w_plus, None, tuple(aligned), tuple(codes))
    for code in codes:
        if (photo.shape[-1], photo.shape[-2]) != code.original_size:
            raise ValueError(
                f"photo must have {code.original_size} pixels, as the codes record, got {tuple(photo.shape)}"
            )
    origin = Origin(path, photo, torch.stack([code.quad for code in codes]))
    return Subject(name, w_plus, origin, tuple(aligned), tuple(codes))


def _cut_out(photo: Tensor, code: Code, generator: Generator) -> Tensor:
    """Cut the aligned face of a code out of its photo, in place of its missing picture."""
    return crop_quad(photo, code.quad, max(renderers_of(generator)))


def _sample(argument: str, generator: Generator) -> Subject:
    number = argument.removeprefix(SEED)
    if not number.isdecimal() or int(number) >= 2**64:
        raise UserError(f"{argument}: a sample is seed: and a number, such as seed:7")
    randomness = torch.Generator().manual_seed(int(number))
    with torch.no_grad():
        w_plus = sample_codes(generator, 1, randomness=randomness, truncation_psi=SAMPLE_PSI)
    return Subject(f"seed-{number}", w_plus, seed=argument)


def _photo_of(code: Code) -> dict[str, Any] | None:
    """Return what a code file records about its photo, with file and sha256; None if it does not."""
    photo = code.details.get("photo")
    return photo if isinstance(photo, dict) and {"file", "sha256"} <= photo.keys() else None


def _read_photo_of(code: Code, path: Path, photos: Path, max_pixels: int) -> tuple[Path, Tensor]:
    """Find and read the photo of the code in a file."""
    known = _photo_of(code)
    if known is None:
        raise UserError(f"{path}: does not record its photo; it can be edited without one", arguments="photos")
    photo = photos / Path(str(known["file"])).name if photos.is_dir() else photos
    if not photo.is_file():
        raise UserError(f"{path}: its photo, {photo}, does not exist", arguments="photos")
    try:
        content = photo.read_bytes()
    except OSError as error:
        raise UserError(f"{photo}: cannot read it: {error.strerror or error}") from error
    image = decode_image(content, str(photo), max_pixels=max_pixels)
    same = known["sha256"] == hashlib.sha256(content).hexdigest()
    if not same or (image.shape[-1], image.shape[-2]) != code.original_size:
        raise UserError(f"{photo}: not the photo that {path} is the code of")
    return photo, image
