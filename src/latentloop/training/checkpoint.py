"""Saving a training run, and going on exactly where it was saved."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from latentloop.errors import UserError
from latentloop.files import replacing

FORMAT = 1


def save_checkpoint(path: Path, *, kind: str, config: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write a run's settings and state; the file appears whole.

    Args:
        path: The file.
        kind: What is being trained.
        config: What the run's course depends on.
        state: Tensors, numbers, texts, and lists and dicts of them.

    Raises:
        UserError: It cannot be written.
    """
    with replacing(path) as part:
        torch.save({"format": FORMAT, "kind": kind, "config": dict(config), "state": dict(state)}, part)


def load_checkpoint(path: Path, *, kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Read the state of a run of this kind and with these settings. It holds data, never code.

    Raises:
        UserError: It is something else, damaged, or of a run with other settings (the first such is named).
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        found = {key: checkpoint[key] for key in ("format", "kind", "config", "state")}
    except (OSError, RuntimeError, UnpicklingError, EOFError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a checkpoint of a training run, or damaged; delete it to start anew") from error
    if (found["format"], found["kind"]) != (FORMAT, kind):
        raise UserError(f"{path}: a checkpoint of {found['kind']} (format {found['format']}), not of {kind}")
    for name in sorted(config.keys() | found["config"].keys()):
        old, new = found["config"].get(name), config.get(name)
        if old != new:
            raise UserError(f"{path}: made with {name} {old}, not {new}; use that, or choose another folder with --out")
    state: dict[str, Any] = found["state"]
    return state
