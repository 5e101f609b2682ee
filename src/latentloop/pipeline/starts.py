"""Where codes are looked for from: what the iterator starts with, and, without it, the result."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from latentloop.codes import load_code, start_from
from latentloop.encoders import Encoder
from latentloop.errors import UserError
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.images import resample


class Start(Protocol):
    """Gives each photo a code to start from."""

    def codes(self, target: Tensor, names: Sequence[str]) -> Tensor:
        """Codes (N, num_ws, w_dim) for photos (N, 3, R, R) in [-1, 1] whose results have these names.

        Raises:
            UserError: There is none for one of them.
        """
        ...

    def told(self, name: str, sha256: str) -> dict[str, str]:
        """What identifies the start of the result `name`, beside what all of a run have in common.

        Args:
            name: Of the result.
            sha256: Of the photo.

        Raises:
            UserError: There is none for this photo.
        """
        ...


@dataclass(frozen=True)
class SameStart:
    """The same code for every photo."""

    w_plus: Tensor
    """(1, num_ws, w_dim)."""

    def codes(self, target: Tensor, names: Sequence[str]) -> Tensor:  # noqa: ARG002
        """The code, (N, num_ws, w_dim)."""
        return self.w_plus.expand(len(names), -1, -1)

    def told(self, name: str, sha256: str) -> dict[str, str]:  # noqa: ARG002
        """Nothing of its own."""
        return {}


@dataclass(frozen=True)
class NetworkStart:
    """What an encoder says of each photo."""

    encoder: Encoder

    @torch.no_grad()
    def codes(self, target: Tensor, names: Sequence[str]) -> Tensor:  # noqa: ARG002
        """Its codes, (N, num_ws, w_dim)."""
        return self.encoder(resample(target, self.encoder.resolution))

    def told(self, name: str, sha256: str) -> dict[str, str]:  # noqa: ARG002
        """Nothing of its own."""
        return {}


@dataclass(frozen=True)
class FolderStart:
    """Code files of a folder, each for the photo of its name."""

    folder: Path
    generator: Generator

    def codes(self, target: Tensor, names: Sequence[str]) -> Tensor:  # noqa: ARG002
        """The codes in NAME.npz, (N, num_ws, w_dim)."""
        return torch.cat([start_from(self._file(name), self.generator) for name in names])

    def told(self, name: str, sha256: str) -> dict[str, str]:
        """The file's checksum; reads the code, so that what is wrong with it shows early."""
        file = self._file(name)
        start_from(file, self.generator)
        if load_code(file).details.get("photo", {}).get("sha256", sha256) != sha256:
            raise UserError(f"{file}: the code of another photo of this name")
        return {"start_sha256": sha256_of(file)}

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.npz"
