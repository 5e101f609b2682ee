"""Saving a training run, and going on exactly where it was saved: safetensors, with all else as JSON beside them."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from latentloop.errors import UserError
from latentloop.files import replacing
from latentloop.json_files import decode_json
from latentloop.safetensors_header import read_header
from latentloop.stamps import as_plain, differences

FORMAT = 2
MAX_HEADER = 100_000_000
"""Longest header, in bytes, since it holds the state: all that the format allows."""
ENTRY = "latentloop"
"""Name of the metadata entry with the settings, and the state with a name in the place of each tensor."""


def save_checkpoint(path: Path, *, kind: str, config: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write a run's settings and state; the file appears whole.

    Args:
        path: The file.
        kind: What is being trained.
        config: The run's stamp, all that its course depends on; as JSON has it.
        state: Tensors, numbers, texts, None, and lists and dicts of them.

    Raises:
        UserError: It cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    entry = {"format": FORMAT, "kind": kind, "config": dict(config), "state": _without_tensors(state, tensors)}
    with replacing(path) as part:
        part.write_bytes(save(tensors, {ENTRY: json.dumps(entry)}))


def load_checkpoint(path: Path, *, kind: str, config: Mapping[str, Any], but: Collection[str] = ()) -> dict[str, Any]:
    """Read the state of a run of this kind and with these settings, on the CPU. It holds data, never code.

    Args:
        path: The file.
        kind: What is being trained.
        config: The run's stamp.
        but: Names of settings that may be others.

    Raises:
        UserError: It is something else, damaged, or of a run with other settings (the first such is named).
    """
    try:
        read_header(path, max_bytes=MAX_HEADER)
        with safe_open(path, framework="pt") as file:
            entry = decode_json((file.metadata() or {})[ENTRY])
            if (entry["format"], entry["kind"]) != (FORMAT, kind):
                found = f"a checkpoint of {entry['kind']!s:.40} (format {entry['format']!s:.40})"
                raise UserError(f"{path}: {found}, not of {kind} (format {FORMAT})")
            _check_settings(path, _without(but, dict(entry["config"])), _without(but, as_plain(config)))
            state = _with_tensors(entry["state"], {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
            if not isinstance(state, dict):
                raise TypeError("the state is no dict")
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, RecursionError) as error:
        what_to_do = "delete it to go on from an earlier one, or choose another folder"
        raise UserError(f"{path}: not a checkpoint of a training run, or damaged; {what_to_do}") from error
    return state


def _without(names: Collection[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in names}


def _check_settings(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    if others := differences(found, wanted):
        made = f"made with {others[0]} {found.get(others[0])!s:.100}, not {wanted.get(others[0])!s:.100}"
        raise UserError(f"{path}: {made}; use that, or choose another folder", arguments="out")


def _without_tensors(value: object, tensors: dict[str, Tensor]) -> object:
    """What JSON can hold of a value: each tensor goes to `tensors`, dicts become pairs, for their keys' types."""
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
    """The value that `_without_tensors` took apart."""
    if isinstance(value, list):
        return [_with_tensors(item, tensors) for item in value]
    if isinstance(value, dict) and "tensor" in value:
        return tensors[value["tensor"]]
    if isinstance(value, dict):
        return {key: _with_tensors(item, tensors) for key, item in value["dict"]}
    return value
