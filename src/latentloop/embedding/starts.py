"""Starts: codes that the iterator starts from, or, without steps, the results."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from latentloop.defaults import SAMPLE_PSI
from latentloop.encoders import Embedder, Encoder, TwoLooks, predict
from latentloop.errors import UserError, in_one_line
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.hub import local_name
from latentloop.latents import mean_code, sample_codes
from latentloop.latents.code_file import as_start, is_code_file, parse_code, read_code_file
from latentloop.latents.foreign_files import read_latents


@dataclass(frozen=True)
class Wanted:
    """A face whose code is to be computed."""

    name: str
    """Name of the face's result."""
    photo: Path
    sha256: str
    """SHA-256 of the photo's file."""


@dataclass(frozen=True)
class FaceStart:
    """Starting code of one face."""

    w_plus: Tensor | None = None
    """Code, (1, num_ws, w_dim); None if an encoder predicts it."""
    stamp: Mapping[str, str] = field(default_factory=dict)
    """Stamp entries of this start, besides those that all faces of a run share."""


class Start(Protocol):
    """Interface of a start: provides a code for each face."""

    near: ClassVar[bool]
    """True if the code is specific to the photo; the iterator then takes smaller steps."""

    def of_face(self, wanted: Wanted) -> FaceStart:
        """Find the start of a face; files are read here, once.

        Raises:
            UserError: The photo has no start.
        """
        ...

    def codes(self, target: Tensor, starts: Sequence[FaceStart]) -> Tensor:
        """Return the codes, (N, num_ws, w_dim), of faces (N, 3, R, R) in [-1, 1] with their starts."""
        ...


@dataclass(frozen=True)
class SameStart:
    """A start that is one code for all photos."""

    near: ClassVar[bool] = False
    w_plus: Tensor
    """Starting code, (1, num_ws, w_dim)."""
    sha256: str | None = None
    """SHA-256 of the file that the code was read from; None for a code without a file."""

    def of_face(self, wanted: Wanted) -> FaceStart:  # noqa: ARG002
        """Return the code with the file's checksum."""
        return FaceStart(self.w_plus, {"start_sha256": self.sha256} if self.sha256 else {})

    def codes(self, target: Tensor, starts: Sequence[FaceStart]) -> Tensor:
        """Repeat the code for each face, (N, num_ws, w_dim)."""
        return _given(target, starts)


@dataclass(frozen=True)
class NetworkStart:
    """A start that an encoder predicts from the photo."""

    near: ClassVar[bool] = True
    encoder: Encoder

    def of_face(self, wanted: Wanted) -> FaceStart:  # noqa: ARG002
        """Return an empty start: the encoder predicts the code."""
        return FaceStart()

    def codes(self, target: Tensor, starts: Sequence[FaceStart]) -> Tensor:  # noqa: ARG002
        """Predict the codes of faces (N, 3, R, R) in [-1, 1], (N, num_ws, w_dim)."""
        return predict(self.encoder, target)


@dataclass(frozen=True)
class FolderStart:
    """A folder of code files named like the photos."""

    near: ClassVar[bool] = True
    folder: Path
    generator: Generator

    def of_face(self, wanted: Wanted) -> FaceStart:
        """Read the code in NAME.npz with the file's checksum.

        Raises:
            UserError: The file is missing, or holds the code of another photo or generator.
        """
        file = self.folder / f"{wanted.name}.npz"
        content = read_code_file(file)
        code = parse_code(content, file)
        # Codes that do not record their photo are accepted by name alone.
        if code.photo_sha256 not in (None, wanted.sha256):
            raise UserError(f"{file}: the code of another photo of this name")
        return FaceStart(as_start(code, self.generator, file), {"start_sha256": hashlib.sha256(content).hexdigest()})

    def codes(self, target: Tensor, starts: Sequence[FaceStart]) -> Tensor:
        """Stack the codes, (N, num_ws, w_dim)."""
        return _given(target, starts)


@dataclass(frozen=True)
class PhotoStart:
    """Codes of several photos from one file; all faces of a photo share its code."""

    near: ClassVar[bool] = True
    path: Path
    w_plus: Mapping[str, Tensor]
    """Codes, (num_ws, w_dim) each, by the photos' names in the file."""
    name_of: Callable[[Path], str]
    """Maps a photo's path to its name in the file."""

    def of_face(self, wanted: Wanted) -> FaceStart:
        """Return the code of the face's photo with a checksum of its numbers.

        Raises:
            UserError: The file has no code of the photo.
        """
        name = self.name_of(wanted.photo)
        if name not in self.w_plus:
            some = ", ".join(list(self.w_plus)[:3]) + (", ..." if len(self.w_plus) > 3 else "")
            raise UserError(in_one_line(UserError(f"{self.path}: has codes of {some}; none of {name}")))
        code = self.w_plus[name]
        # Of the code, not of the file: adding codes of other photos to the file must not outdate this result.
        return FaceStart(code[None], {"code_sha256": hashlib.sha256(code.numpy().tobytes()).hexdigest()})

    def codes(self, target: Tensor, starts: Sequence[FaceStart]) -> Tensor:
        """Stack the codes, (N, num_ws, w_dim)."""
        return _given(target, starts)


def _given(target: Tensor, starts: Sequence[FaceStart]) -> Tensor:
    return torch.cat([start.w_plus for start in starts if start.w_plus is not None]).to(target.device)


def network_start(encoder: Encoder, looks: int, drawing: Callable[[], Generator]) -> NetworkStart:
    """Create the start of an embedding network.

    Args:
        encoder: Embedding network.
        looks: Number of its passes over each photo, 1 or 2.
        drawing: Returns the generator that draws the first pass's code.

    Raises:
        UserError: The network was not trained for a second pass.
    """
    if looks == 1:
        return NetworkStart(encoder)
    if not (isinstance(encoder, Embedder) and encoder.second):
        raise UserError("the network was not trained for a second look", arguments="looks")
    return NetworkStart(TwoLooks(encoder, drawing()))


def start_from_file(path: Path, generator: Generator, photos: Sequence[Path]) -> Start:
    """Read starting codes from one file, ours or another project's.

    Codes of named images belong to the photos of these names, without suffixes. Unnamed codes belong to the photos in
    order if there are as many; a single one is used for all.

    Args:
        path: File that `load_code` or `read_latents` can read.
        generator: Generator of the codes.
        photos: Photos in their order.

    Raises:
        UserError: The file cannot be read, or its number of codes fits neither the photos nor is 1.
    """
    if content := _content_if_ours(path):
        code = as_start(parse_code(content, path), generator, path)
        return SameStart(code, hashlib.sha256(content).hexdigest())
    latents = read_latents(path, generator)
    if latents.names:
        return PhotoStart(path, dict(zip(latents.names, latents.codes, strict=True)), lambda photo: photo.stem)
    if len(latents.codes) == len(photos):
        return PhotoStart(path, dict(zip(map(str, photos), latents.codes, strict=True)), str)
    if len(latents.codes) == 1:
        return SameStart(latents.codes.to(generator.latent_avg), sha256_of(path))
    raise UserError(f"{path}: has {len(latents.codes)} codes for {len(photos)} photos")


def chosen_start(name: str, seed: int, generator: Generator, photos: Sequence[Path], out: Path | None) -> Start:
    """Load the start that the option of this name chooses, where no network predicts one.

    Args:
        name: auto, average, sample, a file of codes, or a folder of code files.
        seed: Seed of the random code.
        generator: Generator of the codes.
        photos: Photos in their order.
        out: Folder of the results, which must not be that of the codes.

    Raises:
        UserError: There is no such start, or its file cannot be used.
    """
    if name in ("auto", "average"):
        return SameStart(mean_code(generator))
    if name == "sample":
        randomness = torch.Generator().manual_seed(seed)
        return SameStart(sample_codes(generator, 1, randomness=randomness, truncation_psi=SAMPLE_PSI))
    path = Path(local_name(name))
    if not path.exists():
        raise UserError(f"start {name}: neither average, sample, a file nor a folder", arguments="start")
    if not path.is_dir():
        return start_from_file(path, generator, photos)
    if out and path.resolve() == out.resolve():
        raise UserError(f"{path}: these codes would be overwritten; choose another folder", arguments=("start", "out"))
    return FolderStart(path, generator)


def _content_if_ours(path: Path) -> bytes | None:
    """Read a file that looks like one of our code files; None for any other."""
    if not path.is_file():
        return None  # the reader of other projects' files reports the error
    try:
        with path.open("rb") as file:
            if not is_code_file(file):
                return None
            file.seek(0)
            return file.read()
    except OSError:
        return None
