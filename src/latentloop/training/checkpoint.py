"""Checkpoints of training runs: tensors in safetensors files, all other state as JSON in their metadata."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from latentloop.errors import UserError, unreadable
from latentloop.files import refuse_no_file, replacing
from latentloop.json_files import decode_json
from latentloop.safetensors_header import METADATA, read_header
from latentloop.stamps import as_plain, differences

FORMAT = 2
"""Version of the file format."""
MAX_HEADER = 100_000_000
"""Largest header in bytes; it holds the state, so this is the format's own limit."""
ENTRIES = {"format", "kind", "config", "state"}
"""Keys of the metadata entry, besides the checksum."""
CHECKSUM = "checksum"
"""Key of the SHA-256 over everything else in the file; absent in files written before version 0.2."""
DAMAGE = (
    OSError,
    SafetensorError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,  # tensors of other shapes; JSON nested too deeply
)
"""Errors that reading a damaged file, or restoring its state, can raise."""
ENTRY = "latentloop"
"""Name of the metadata entry with settings and state; tensors in the state are replaced by their names."""


def save_checkpoint(path: Path, *, kind: str, config: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write a run's settings and state; the file appears whole or not at all.

    Args:
        path: File to write.
        kind: Kind of training.
        config: Stamp of the run: all settings that its course depends on, as JSON values.
        state: Tensors, numbers, texts, None, and lists and dicts of them.

    Raises:
        UserError: The file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    entry = {"format": FORMAT, "kind": kind, "config": dict(config), "state": _without_tensors(state, tensors)}
    entry[CHECKSUM] = _checksum(entry, tensors)
    with replacing(path) as part:
        part.write_bytes(save(tensors, {ENTRY: json.dumps(entry)}))


def load_checkpoint(
    path: Path, *, kind: str, config: Mapping[str, Any], but: Collection[str] = (), length: Collection[str] = ()
) -> dict[str, Any]:
    """Read the state of a run of this kind with these settings, on the CPU. The file holds data, never code.

    Args:
        path: File to read.
        kind: Kind of training.
        config: Stamp of the run.
        but: Names of settings that may differ.
        length: Names of settings that a resumed run may change; the message about a difference in them says so.

    Raises:
        UserError: The file is something else, damaged, or of a run with other settings, of which the first is named.
    """
    refuse_no_file(path, what="a checkpoint")
    with restoring(path):
        entry, tensors = _read(path, kind)
        _check_settings(path, _without(but, dict(entry["config"])), _without(but, as_plain(config)), length)
        state = _with_tensors(entry["state"], tensors)
        if not isinstance(state, dict):
            raise TypeError("the state is no dict")
    return state


def is_checkpoint(path: Path, *, kind: str) -> bool:
    """Tell from its header whether a file is a checkpoint of a run of this kind."""
    try:
        entry = decode_json(read_header(path, max_bytes=MAX_HEADER)[METADATA][ENTRY])
        return bool((entry["format"], entry["kind"]) == (FORMAT, kind))
    except DAMAGE:
        return False


@contextmanager
def restoring(path: Path) -> Iterator[None]:
    """Convert errors of reading a checkpoint, and of restoring its state, to a `UserError` that names it.

    Raises:
        UserError: The file cannot be read, is something else, is damaged, or lacks a part of the state.
    """
    try:
        yield
    except torch.OutOfMemoryError:  # a RuntimeError, too, but no damage
        raise
    except DAMAGE as error:
        what = "not a checkpoint of a training run, or damaged"
        what_to_do = "delete it to go on from an earlier one, or choose another folder"
        raise UserError(f"{path}: {unreadable(error) or f'{what}; {what_to_do}'}") from error


def _read(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the metadata entry and the tensors of a file."""
    entry = decode_json(read_header(path, max_bytes=MAX_HEADER)[METADATA][ENTRY])
    if (entry["format"], entry["kind"]) != (FORMAT, kind):
        found = f"a checkpoint of {entry['kind']!s:.40} (format {entry['format']!s:.40})"
        raise UserError(f"{path}: {found}, not of {kind} (format {FORMAT})")
    tensors = load(path.read_bytes())  # safetensors opens by path only names that are valid UTF-8
    checksum = entry.pop(CHECKSUM, None)
    if entry.keys() != ENTRIES or checksum not in (None, _checksum(entry, tensors)):
        raise ValueError("not what was written")
    return entry, tensors


def _checksum(entry: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    # JSON keeps the order of keys, so reading a file reproduces this text.
    digest = hashlib.sha256(json.dumps(entry).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        # As bytes: NumPy has no bfloat16.
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _without(names: Collection[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in names}


def _check_settings(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any], length: Collection[str]) -> None:
    if others := differences(found, wanted):
        made = f"made with {others[0]} {found.get(others[0])!s:.100}, not {wanted.get(others[0])!s:.100}"
        if set(others) <= set(length):
            what_to_do = "resume the run with that, or choose another folder"
            raise UserError(f"{path}: {made}; {what_to_do}", arguments=("resume", "out"))
        raise UserError(f"{path}: {made}; use that, or choose another folder", arguments="out")


def _without_tensors(value: object, tensors: dict[str, Tensor]) -> object:
    """Convert a value to JSON: tensors move to `tensors`, dicts become pairs, since JSON keys are always strings."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous()
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"dict": [[key, _without_tensors(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_without_tensors(item, tensors) for item in value]
    return value


def _with_tensors(value: object, tensors: Mapping[str, Tensor]) -> object:
    """Invert `_without_tensors`."""
    if isinstance(value, list):
        return [_with_tensors(item, tensors) for item in value]
    if isinstance(value, dict) and "tensor" in value:
        return tensors[value["tensor"]]
    if isinstance(value, dict):
        return {key: _with_tensors(item, tensors) for key, item in value["dict"]}
    return value
