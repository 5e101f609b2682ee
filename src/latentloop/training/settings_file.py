"""What a run's folder keeps to go on from: its options in config.json, and its checkpoints."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from latentloop.errors import UserError, in_one_line
from latentloop.files import replacing
from latentloop.json_files import read_json
from latentloop.options import with_changes
from latentloop.training.options import TrainOptions

SETTINGS, CHECKPOINTS = "config.json", "checkpoints"
LENGTH = ("steps", "minutes")
"""Options by which a run can be made longer."""
GROUPED = ("generator", "device", "seed")
"""Options that the file keeps in a separate group, "common"."""


def write_options(options: TrainOptions) -> None:
    """Write a run's options into its folder, with absolute paths; the file appears whole.

    Raises:
        UserError: It cannot be written.
    """
    plain = asdict(_from_anywhere(options))
    settings = {"common": {name: plain.pop(name) for name in GROUPED}, **plain}
    with replacing(options.out / SETTINGS) as part:
        part.write_text(json.dumps(settings, indent=2, default=str) + "\n", encoding="utf-8")


def read_options(folder: Path) -> TrainOptions:
    """Read the options of the run in a folder, wherever that has been moved to.

    Raises:
        UserError: The file is missing, or not the options of a run.
    """
    path = folder / SETTINGS
    try:
        settings = _flat(read_json(path))
        settings.pop("resume", None)  # which older files have; it says nothing
        return with_changes(TrainOptions(), settings | {"out": folder})
    except OSError as error:
        raise UserError(f"{path}: cannot read a run's settings: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: not the settings of a run: {in_one_line(error)}") from error


def checkpoints_in(folder: Path) -> list[Path]:
    """List a run's checkpoints by step."""
    return sorted((folder / CHECKPOINTS).glob("step-*.safetensors"))


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """All options by their names alone, lists as tuples."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value) if isinstance(value, dict) else {name: tuple(value) if isinstance(value, list) else value}
    return flat


def _from_anywhere(options: TrainOptions) -> TrainOptions:
    """The same options for a process with another working directory."""
    paths = {name: getattr(options, name) for name in ("generator", "quick", "start")}
    found = {name: str(Path(path).absolute()) for name, path in paths.items() if path and Path(path).exists()}
    options = replace(
        options,
        data=tuple(str(Path(argument).absolute()) for argument in options.data),
        validation=tuple(str(Path(argument).absolute()) for argument in options.validation),
        codes=str(Path(options.codes).absolute()) if options.codes else None,
    )
    return with_changes(options, found)
