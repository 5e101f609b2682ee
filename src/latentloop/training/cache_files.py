"""Cache files of best codes: opening a run's cache, and conversion from and to code files and records."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from latentloop.cache import CachedCode, CodeCache, CodeSpace
from latentloop.errors import UserError, in_one_line
from latentloop.faces import already_aligned
from latentloop.generators import Generator
from latentloop.generators.registry import weights_checksum
from latentloop.images import decode_image
from latentloop.latents.code_file import Code, load_code, save_code
from latentloop.photos.sources import PhotoSource
from latentloop.records.folder import RecordFolder
from latentloop.records.naming import is_record_folder
from latentloop.stamps import stamp_of
from latentloop.training.best_codes import BestCodes
from latentloop.training.options import TrainOptions
from latentloop.training.pending import PendingCodes
from latentloop.training.processes import Processes
from latentloop.training.settings_file import CODES
from latentloop.training.shared_cache import SharedCache


def open_cache(
    options: TrainOptions, generator: Generator, resolution: int, precision: str, processes: Processes
) -> BestCodes:
    """Open the cache of a run's best codes, or create an empty one.

    Args:
        options: Options of the run.
        generator: Generator whose images are compared.
        resolution: Side of these images in pixels.
        precision: Precision of the arithmetic, which losses depend on.
        processes: Processes of the run.

    Raises:
        UserError: The cache holds codes of another latent space, or losses that are not comparable.
    """
    quick, which = options.quick, options.which
    weights = weights_checksum(quick) if quick else weights_checksum(options.generator, which=which)
    # A loss compares only with losses of the same weights, precision and resolution: all are part of the space.
    drawn = {"weights_sha256": weights, "precision": precision, "resolution": resolution}
    space = CodeSpace(generator.fingerprint, generator.num_ws, generator.w_dim, {**stamp_of(options.loss), **drawn})
    path, records = Path(options.codes) if options.codes else options.out / CODES, None
    if is_record_folder(path):
        path, records = options.out / CODES, path

    def open_file() -> CodeCache:
        cache = CodeCache(path, space)
        if records:  # repeated on each resume: codes that are not better change nothing
            import_codes(cache, [records])
        return cache

    return PendingCodes(SharedCache(open_file, space, processes), processes)


def export_codes(cache: CodeCache, photos: Iterable[PhotoSource], folder: Path, generator: Generator) -> Iterator[Path]:
    """Write NAME.npz, a code file, for each photo that has a code in the cache; yields the files.

    They can be starts of `latentloop embed --aligned`. Files that exist already for the same photo are kept, so that a
    stopped export can be resumed.

    Args:
        cache: Cache with the codes.
        photos: Aligned photos, as training saw them, with different names.
        folder: Folder for the files.
        generator: Generator of the codes.

    Raises:
        UserError: The codes belong to another generator, a file of another photo is in the way, a file cannot be
            written, or a photo cannot be read.
    """
    if cache.space.fingerprint != generator.fingerprint:
        theirs, ours = cache.space.fingerprint, generator.fingerprint
        raise UserError(f"{cache.path}: codes of the latent space {theirs}, {generator.name} has {ours}")
    for photo in photos:
        content = photo.read()
        key = hashlib.sha256(content).digest()
        (found,) = cache.lookup([key])
        if found is None:
            continue
        name = Path(photo.member or photo.file.name)
        path = folder / f"{name.stem}.npz"
        if not path.exists():
            image = decode_image(content, photo.name)
            save_code(path, _code_of(found, image, name.name, key, cache, generator))
        elif load_code(path).photo_sha256 != key.hex():
            raise UserError(f"{path}: has the code of another photo; choose another folder", arguments="out")
        yield path


def import_codes(cache: CodeCache, sources: Sequence[Path]) -> list[bool]:
    """Store the codes of code files and records in a cache; returns for each whether it was better than the cached one.

    Args:
        cache: Cache to update.
        sources: Code files, and folders of records, as `latentloop bulk` writes them.

    Raises:
        UserError: A source is not such a file, lacks its photo's checksum, belongs to another latent space, or has a
            loss that is not comparable with the cache's. The cache is then unchanged.
    """
    # Two passes: all sources are checked before the first code is stored, without holding them all in memory.
    for name, code in _codes_in(sources):
        _comparable(cache, name, code)
    comparable = (_comparable(cache, name, code) for name, code in _codes_in(sources))
    return [cache.update([photo], w_plus[None], loss[None], step=0)[0] for photo, w_plus, loss in comparable]


def _codes_in(sources: Sequence[Path]) -> Iterator[tuple[str, Code]]:
    """Yield codes with their names for messages, one by one: they may not fit in memory together."""
    for source in sources:
        if is_record_folder(source):
            yield from RecordFolder(source).codes()
        else:
            yield str(source), load_code(source)


def _comparable(cache: CodeCache, path: str, code: Code) -> tuple[bytes, Tensor, Tensor]:
    """Return photo, code and loss of a code file, after checking that the loss can be compared with the cache's."""
    # Only losses of the aligned photo itself compare: a detected face is another target, and polishing steps are
    # measured on another generator.
    of_photo = {"fingerprint": cache.space.fingerprint, "polish": 0, "aligned": True}
    wanted: Mapping[str, object] = {**cache.space.loss, **of_photo}
    known = code.details.get("settings", {})
    settings = {**(known if isinstance(known, dict) else {}), "fingerprint": code.fingerprint}
    for name, value in wanted.items():
        if settings.get(name) != value:
            theirs = f"{settings.get(name)!s:.100}"
            raise UserError(f"{path}: its loss was measured with {name} {theirs}, the cache's with {value!s:.100}")
    if not len(code.losses):
        raise UserError(f"{path}: its loss is unknown, since no step was taken; embed the photo with 1 step or more")
    try:
        photo, loss = bytes.fromhex(code.details["photo"]["sha256"]), code.losses[code.steps]
        if len(photo) != hashlib.sha256().digest_size:
            raise ValueError("sha256 is not a SHA-256")
        if not loss.isfinite():
            raise ValueError("its loss is not finite")
        cache.stored(code.w_plus[None])
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a code file of embed or cache export: {in_one_line(error)}") from error
    return photo, code.w_plus, loss


def _code_of(found: CachedCode, image: Tensor, file: str, key: bytes, cache: CodeCache, generator: Generator) -> Code:
    return Code(
        w_plus=found.w_plus,
        space="w+",
        generator=generator.name,
        fingerprint=generator.fingerprint,
        quad=already_aligned(image, image.shape[-1]).quad,
        original_size=(image.shape[-1], image.shape[-2]),
        losses=torch.tensor([found.loss]),
        steps=0,
        details={
            "photo": {"file": file, "sha256": key.hex(), "faces": None},
            "settings": {**cache.space.loss, "polish": 0, "aligned": True},
            "training_step": found.step,
        },
    )
