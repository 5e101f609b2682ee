"""Reading weights: safetensors files, checked before they are believed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from latentloop.errors import UserError
from latentloop.files import sha256_of

ASSETS = Path(__file__).parent / "assets"
Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class WeightsFile:
    """A safetensors file and, where we know it, the checksum it must have."""

    path: Path
    sha256: str | None = None


@dataclass(frozen=True)
class Weights:
    """What a weights file holds."""

    tensors: dict[str, Tensor]  # float32, whatever the file stores
    metadata: dict[str, str]


def shipped(name: str, sha256: str) -> WeightsFile:
    """A file of `latentloop/assets`."""
    return WeightsFile(ASSETS / name, sha256)


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: with the length of a JSON header, and its brace."""
    with path.open("rb") as file:
        beginning = file.read(9)
    return beginning[8:] == b"{" and int.from_bytes(beginning[:8], "little") < path.stat().st_size


def read_weights(file: WeightsFile) -> Weights:
    """Read all tensors of a file as float32.

    Raises:
        UserError: The file is missing, is not safetensors, or its checksum is not the expected one.
    """
    if not file.path.is_file():
        raise UserError(f"{file.path}: no such weights file")
    found = sha256_of(file.path)
    if file.sha256 not in (None, found):
        raise UserError(f"{file.path}: wrong or damaged, its sha256 is {found}, not {file.sha256}; install it again")
    try:
        with safe_open(file.path, framework="pt") as reader:
            metadata = reader.metadata() or {}
            tensors = {name: reader.get_tensor(name).float() for name in reader.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError as error:
        raise UserError(f"{file.path}: not a readable safetensors file (sha256 {found}): {error}") from error
    return Weights(tensors, metadata)


def with_weights(module: Module, tensors: dict[str, Tensor]) -> Module:
    """Give a module built on the meta device its tensors, frozen and in evaluation mode."""
    module.load_state_dict(tensors, assign=True)
    return module.requires_grad_(False).eval()
