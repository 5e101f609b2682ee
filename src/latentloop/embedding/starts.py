"""Where codes are looked for from: what the iterator starts with, and, without it, the result."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from latentloop.encoders import Encoder
from latentloop.errors import UserError, in_one_line
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.images import resample
from latentloop.latents.code_file import is_code_file, load_code, start_from
from latentloop.latents.foreign_files import read_latents


@dataclass(frozen=True)
class Wanted:
    """A photo's face that a code is wanted for."""

    name: str
    """Of its result."""
    photo: Path
    sha256: str
    """Of the photo."""


class Start(Protocol):
    """Gives each photo a code to start from."""

    own: ClassVar[bool]
    """Whether that is a photo's own code, which large steps would only spoil."""

    def codes(self, target: Tensor, wanted: Sequence[Wanted]) -> Tensor:
        """Codes (N, num_ws, w_dim) for faces (N, 3, R, R) in [-1, 1].

        Raises:
            UserError: There is none for one of them.
        """
        ...

    def told(self, wanted: Wanted) -> dict[str, str]:
        """What identifies a face's start, beside what all of a run have in common.

        Raises:
            UserError: There is none for this photo.
        """
        ...


@dataclass(frozen=True)
class SameStart:
    """The same code for every photo."""

    own: ClassVar[bool] = False
    w_plus: Tensor
    """(1, num_ws, w_dim)."""
    sha256: str | None = None
    """Of the file that it is from."""

    def codes(self, target: Tensor, wanted: Sequence[Wanted]) -> Tensor:  # noqa: ARG002
        """The code, (N, num_ws, w_dim)."""
        return self.w_plus.expand(len(wanted), -1, -1)

    def told(self, wanted: Wanted) -> dict[str, str]:  # noqa: ARG002
        """The file's checksum."""
        return {"start_sha256": self.sha256} if self.sha256 else {}


@dataclass(frozen=True)
class NetworkStart:
    """What an encoder says of each photo."""

    own: ClassVar[bool] = True
    encoder: Encoder

    @torch.no_grad()
    def codes(self, target: Tensor, wanted: Sequence[Wanted]) -> Tensor:  # noqa: ARG002
        """Its codes, (N, num_ws, w_dim)."""
        return self.encoder(resample(target, self.encoder.resolution))

    def told(self, wanted: Wanted) -> dict[str, str]:  # noqa: ARG002
        """Nothing of its own."""
        return {}


@dataclass(frozen=True)
class FolderStart:
    """Code files of a folder, each for the photo of its name."""

    own: ClassVar[bool] = True
    folder: Path
    generator: Generator

    def codes(self, target: Tensor, wanted: Sequence[Wanted]) -> Tensor:  # noqa: ARG002
        """The codes in NAME.npz, (N, num_ws, w_dim)."""
        return torch.cat([start_from(self._file(one), self.generator) for one in wanted])

    def told(self, wanted: Wanted) -> dict[str, str]:
        """The file's checksum; reads the code, so that what is wrong with it shows early."""
        file = self._file(wanted)
        start_from(file, self.generator)
        if load_code(file).details.get("photo", {}).get("sha256", wanted.sha256) != wanted.sha256:
            raise UserError(f"{file}: the code of another photo of this name")
        return {"start_sha256": sha256_of(file)}

    def _file(self, wanted: Wanted) -> Path:
        return self.folder / f"{wanted.name}.npz"


@dataclass(frozen=True)
class PhotoStart:
    """Codes of one file, each for a photo; the photo's faces share it."""

    own: ClassVar[bool] = True
    path: Path
    w_plus: Mapping[str, Tensor]
    """(num_ws, w_dim), by the photos."""
    photo: Callable[[Path], str]
    """What a photo is called there."""

    def codes(self, target: Tensor, wanted: Sequence[Wanted]) -> Tensor:
        """The codes of these photos, (N, num_ws, w_dim)."""
        return torch.stack([self._code(one) for one in wanted]).to(target)

    def told(self, wanted: Wanted) -> dict[str, str]:
        """The code's checksum."""
        return {"code_sha256": hashlib.sha256(self._code(wanted).numpy().tobytes()).hexdigest()}

    def _code(self, wanted: Wanted) -> Tensor:
        name = self.photo(wanted.photo)
        if name not in self.w_plus:
            some = ", ".join(list(self.w_plus)[:3]) + (", ..." if len(self.w_plus) > 3 else "")
            raise UserError(in_one_line(UserError(f"{self.path}: has codes of {some}; none of {name}")))
        return self.w_plus[name]


def start_from_file(path: Path, generator: Generator, photos: Sequence[Path]) -> Start:
    """Codes in one file: our own, or of other projects.

    Codes of named images serve the photos of these names, endings aside. Of others, as many codes as photos serve the
    photos in their order, and a single one serves all.

    Args:
        path: What `load_code` or `read_latents` reads.
        generator: Whose codes they are.
        photos: In their order.

    Raises:
        UserError: As those two; or there are neither as many codes as photos nor one.
    """
    if is_code_file(path):
        return SameStart(start_from(path, generator), sha256_of(path))
    latents = read_latents(path, generator)
    if latents.names:
        return PhotoStart(path, dict(zip(latents.names, latents.codes, strict=True)), lambda photo: photo.stem)
    if len(latents.codes) == len(photos):
        return PhotoStart(path, dict(zip(map(str, photos), latents.codes, strict=True)), str)
    if len(latents.codes) == 1:
        return SameStart(latents.codes.to(generator.latent_avg), sha256_of(path))
    raise UserError(f"{path}: has {len(latents.codes)} codes for {len(photos)} photos")
