"""Weights files: safetensors with checked headers and checksums, read once per job, with settings in the header.

This is the part of `weights` that needs no PyTorch: functions that build arrays are passed to it.
"""

import hashlib
from collections.abc import Callable, Hashable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from latentloop.errors import UserError, in_one_line, shown
from latentloop.files import naming_unreadable, refuse_no_file, sha256_of
from latentloop.json_files import decode_json
from latentloop.safetensors_header import KIND as KIND
from latentloop.safetensors_header import METADATA, check_complete, check_header
from latentloop.safetensors_header import kind_in as kind_in

ASSETS = Path(__file__).parent / "assets"
"""Folder of the bundled files."""
CHECKSUM = "sha256"
"""Purpose, for `read_once`, of computing a file's checksum."""
Array = TypeVar("Array")
Content = TypeVar("Content")


@dataclass(frozen=True)
class WeightsFile:
    """A safetensors file and, if known, its expected checksum."""

    path: Path
    """Path of the weights file."""
    sha256: str | None = None
    """Expected SHA-256 in hexadecimal; None accepts any content."""


@dataclass(frozen=True)
class Weights(Generic[Array]):
    """The content of a weights file; shared within `ReadOnce`, so never change its tensors in place."""

    tensors: Mapping[str, Array]
    """PyTorch tensors or NumPy arrays by name, in float32 whatever type the file stores."""
    metadata: Mapping[str, str]
    """Text entries of the file's header."""
    sha256: str
    """SHA-256 of the file, in hexadecimal."""


@dataclass(frozen=True)
class OurWeights(Generic[Array]):
    """The content of a weights file that latentloop wrote."""

    kind: str
    """Kind of content, such as "embedder"."""
    tensors: Mapping[str, Array]
    """Tensors by name, in float32."""
    settings: dict[str, Any]
    """Settings that do not follow from the tensors' shapes."""
    sha256: str
    """SHA-256 of the file, in hexadecimal."""


_Files = dict[tuple[Hashable, Path, int, int], Any]
_active: ContextVar[tuple[_Files, ...]] = ContextVar("files kept by each `ReadOnce` that is entered", default=())


class ReadOnce:
    """A context in which each weights file is read and checked once, however often it is requested.

    The context can be entered several times, so that parts of a job that are loaded later share its files, and nested:
    inner and outer contexts share what is read in both. Content is kept as long as the object. Modules on the CPU share
    its memory; for modules on other devices it is a second copy of their weights. Contexts are local to a thread.
    """

    def __init__(self) -> None:
        self._files: _Files = {}

    def __enter__(self) -> Self:
        _active.set((*_active.get(), self._files))
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        _active.set(_active.get()[:-1])


def read_once(path: Path, purpose: Hashable, read: Callable[[], Content]) -> Content:
    """Call `read`, or return its earlier result for this file and purpose within a common `ReadOnce`.

    Args:
        path: File to read; it is read again if its size or modification time has changed.
        purpose: Key that distinguishes different results of one file, such as its checksum and its tensors.
        read: Function that reads the file.

    Raises:
        OSError: The file is missing.
    """
    contexts = _active.get()
    if not contexts:
        return read()
    state = path.stat()
    key = (purpose, path.resolve(), state.st_size, state.st_mtime_ns)
    kept = next((files[key] for files in contexts if key in files), None)
    content: Content = read() if kept is None else kept
    for files in contexts:
        files[key] = content
    return content


def shipped(name: str, sha256: str) -> WeightsFile:
    """Return a file in the package's `assets` folder, with its checksum."""
    return WeightsFile(ASSETS / name, sha256)


def is_safetensors(path: Path) -> bool:
    """Return whether a file begins like a safetensors file: with the length of a JSON header, and a brace.

    Raises:
        UserError: The file cannot be read.
    """
    with naming_unreadable(path), path.open("rb") as file:
        beginning = file.read(9)
        return beginning[8:] == b"{" and int.from_bytes(beginning[:8], "little") < path.stat().st_size


def checksum(file: WeightsFile) -> str:
    """Return the SHA-256 of a weights file in hexadecimal: the expected one if known, else that of its content.

    Raises:
        OSError: The file is missing.
    """
    return file.sha256 or read_once(file.path, CHECKSUM, lambda: sha256_of(file.path))


def read_arrays(file: WeightsFile) -> Weights[npt.NDArray[np.float32]]:
    """Read all tensors of a file as float32 NumPy arrays.

    Raises:
        UserError: The file is missing, is not safetensors, or its checksum is not the expected one.
    """
    return read_checked(file, _read_arrays, purpose="arrays")


def read_our_arrays(file: WeightsFile, *kinds: str, what: str, advice: str) -> OurWeights[npt.NDArray[np.float32]]:
    """Read a weights file that latentloop wrote as float32 NumPy arrays; arguments as for `as_ours`.

    Raises:
        UserError: The file is missing, is not safetensors, has another checksum or kind, or its settings are damaged.
    """
    return as_ours(file, read_arrays(file), *kinds, what=what, advice=advice)


def read_checked(file: WeightsFile, read: Callable[[WeightsFile], Weights[Array]], *, purpose: str) -> Weights[Array]:
    """Read a weights file, at most once within a `ReadOnce`, and compare its checksum.

    Args:
        file: File to read.
        read: Function that reads it, for example by `read_with`.
        purpose: Key that distinguishes the result of `read` from other results of the same file.

    Raises:
        UserError: The file is missing, is not safetensors, or its checksum is not the expected one.
    """
    if not file.path.exists():
        raise UserError(f"{file.path}: no such weights file")
    refuse_no_file(file.path, what="weights")
    weights = read_once(file.path, purpose, lambda: read(file))
    _check(file, weights.sha256)
    read_once(file.path, CHECKSUM, lambda: weights.sha256)
    return weights


def read_with(file: WeightsFile, load: Callable[[bytes], Mapping[str, Array]]) -> Weights[Array]:
    """Read a file, and check its header and checksum before building its tensors.

    Args:
        file: File to read.
        load: Function from the file's bytes to tensors by name.

    Raises:
        UserError: The file cannot be read, is not safetensors, or its checksum is not the expected one.
    """
    with naming_unreadable(file.path):
        content = file.path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    _check(file, sha256)
    length = int.from_bytes(content[:8], "little")
    try:
        header = check_header(content[8 : 8 + length], length)
        check_complete(header, length, len(content))
        tensors = dict(sorted(load(content).items()))
    except (SafetensorError, LookupError, TypeError, ValueError) as error:
        raise UserError(
            f"{file.path}: not a readable safetensors file (sha256 {sha256}): {in_one_line(error)}"
        ) from error
    return Weights(tensors, header.get(METADATA) or {}, sha256)


def as_ours(file: WeightsFile, weights: Weights[Array], *kinds: str, what: str, advice: str) -> OurWeights[Array]:
    """Check that latentloop wrote a weights file, and decode its settings.

    Args:
        file: The file, for error messages.
        weights: Content of the file.
        kinds: Accepted kinds of content.
        what: Wanted content, for error messages: "an embedding network".
        advice: Advice about files of another kind, for error messages.

    Raises:
        UserError: The file is of another kind, or its settings are damaged.
    """
    kind, _, text = weights.metadata.get(KIND, "none").partition(" ")
    if kind not in kinds:
        known = kind if kind.isalpha() else "unknown"
        raise UserError(f"{file.path}: not {what} (kind: {known}); {advice}")
    try:
        settings = decode_json(text or "{}")
    except ValueError as error:
        raise UserError(f"{file.path}: its settings are damaged: {in_one_line(error)}") from error
    if not isinstance(settings, dict):
        raise UserError(f"{file.path}: its settings are damaged: {shown(settings)}")
    return OurWeights(kind, weights.tensors, settings, weights.sha256)


def _read_arrays(file: WeightsFile) -> Weights[npt.NDArray[np.float32]]:
    return read_with(file, lambda content: {name: one.astype(np.float32) for name, one in load(content).items()})


def _check(file: WeightsFile, sha256: str) -> None:
    if file.sha256 not in (None, sha256):
        raise UserError(f"{file.path}: wrong or damaged, its sha256 is {sha256}, not {file.sha256}; install it again")
