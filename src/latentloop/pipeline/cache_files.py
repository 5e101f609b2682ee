"""Codes between a cache of best codes and code files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from latentloop.cache import CachedCode, CodeCache
from latentloop.codes import Code, load_code, save_code
from latentloop.errors import UserError
from latentloop.faces import whole_square
from latentloop.generators import Generator
from latentloop.images import read_image


@dataclass(frozen=True)
class Photo:
    """An aligned photo that may have a code in a cache."""

    path: Path
    key: bytes
    """SHA-256 of its content."""


def export_codes(cache: CodeCache, photos: Iterable[Photo], folder: Path, generator: Generator) -> Iterator[Path]:
    """Write NAME.npz, a code file, for each photo that the cache knows a code of; yields the files.

    They serve as starts of `latentloop embed --aligned`.

    Args:
        cache: Where the codes are.
        photos: Aligned, as the training saw them. Of two with one name the later one's code counts as overwriting.
        folder: For the files.
        generator: Whose codes they are.

    Raises:
        UserError: The generator is another one; a file is in the way or cannot be written; a photo cannot be read.
    """
    if cache.space.fingerprint != generator.fingerprint:
        theirs, ours = cache.space.fingerprint, generator.fingerprint
        raise UserError(f"{cache.path}: codes of the latent space {theirs}, {generator.name} has {ours}")
    for photo in photos:
        (found,) = cache.lookup([photo.key])
        if found is not None:
            path = folder / f"{photo.path.stem}.npz"
            if path.exists():
                raise UserError(f"{path}: in the way; choose another folder with --out")
            save_code(path, _code_of(found, photo, cache, generator))
            yield path


def import_codes(cache: CodeCache, paths: Sequence[Path]) -> list[bool]:
    """Put the codes of code files into a cache; tells which were better than what it knew.

    Raises:
        UserError: One is no code file, does not tell its photo's checksum, belongs to another latent space, or has
            a loss that cannot be compared with the cache's. Those before it are in the cache.
    """
    return [_import(cache, path, load_code(path)) for path in paths]


def _import(cache: CodeCache, path: Path, code: Code) -> bool:
    settings = code.details.get("settings", {})
    # The loss must be that of the photo itself, drawn by one generator.
    of_photo = {"fingerprint": cache.space.fingerprint, "polish": 0, "aligned": True}
    wanted: Mapping[str, object] = {**cache.space.loss, **of_photo}
    found = {**settings, "fingerprint": code.fingerprint}
    for name, value in wanted.items():
        if found.get(name) != value:
            raise UserError(f"{path}: its loss is of {name} {found.get(name)}, the cache's of {value}")
    try:
        key = bytes.fromhex(code.details["photo"]["sha256"])
        loss = code.losses[code.steps][None]
        (kept,) = cache.update([key], code.w_plus[None], loss, step=0)
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a code that embed or cache export made: {error}") from error
    return kept


def _code_of(found: CachedCode, photo: Photo, cache: CodeCache, generator: Generator) -> Code:
    image = read_image(photo.path)
    return Code(
        w_plus=found.w_plus,
        space="w+",
        generator=generator.name,
        fingerprint=generator.fingerprint,
        quad=whole_square(image, image.shape[-1]).quad,
        original_size=(image.shape[-1], image.shape[-2]),
        losses=torch.tensor([found.loss]),
        steps=0,
        details={
            "photo": {"file": photo.path.name, "sha256": photo.key.hex(), "faces": None},
            "settings": {**cache.space.loss, "polish": 0, "aligned": True},
            "training_step": found.step,
        },
    )
