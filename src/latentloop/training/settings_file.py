"""What a run's folder keeps to go on from: its options in config.json, and its checkpoints."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from latentloop.errors import UserError, in_one_line
from latentloop.files import replacing
from latentloop.json_files import read_json
from latentloop.options import with_changes
from latentloop.training.options import TrainOptions

SETTINGS, CHECKPOINTS, CODES = "config.json", "checkpoints", "codes.cache"
CHECKPOINT = re.compile(r"step-\d{8,}\.safetensors")
"""Names of checkpoints."""
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


def read_options(folder: Path, *, codes: str | None = None) -> TrainOptions:
    """Read the options of the run in a folder, wherever that has been moved to.

    The folder may be somebody else's: it decides where a run begins, never where files are written.

    Args:
        folder: The run's folder.
        codes: File of the best codes, if it is not the run's own; None for the one that the options name, which must
            be in the folder then, or be there; a link out of the folder is refused.

    Raises:
        UserError: The file is missing, or not the options of a run; or the codes would begin a file elsewhere.
    """
    path = folder / SETTINGS
    try:
        settings = _flat(read_json(path))
        settings.pop("resume", None)  # which older files have; it says nothing
        options = with_changes(TrainOptions(), settings | {"out": folder} | ({"codes": codes} if codes else {}))
    except OSError as error:
        raise UserError(f"{path}: cannot read a run's settings: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: not the settings of a run: {in_one_line(error)}") from error
    if not codes:
        _refuse_elsewhere(Path(options.codes) if options.codes else folder / CODES, folder)
    return options


def checkpoints_in(folder: Path) -> list[Path]:
    """List a run's checkpoints by step."""
    found = (folder / CHECKPOINTS).glob("step-*.safetensors")
    return sorted(path for path in found if CHECKPOINT.fullmatch(path.name))


def _refuse_elsewhere(codes: Path, folder: Path) -> None:
    """Refuse codes that would begin a file elsewhere, or that a link leads out of the folder."""
    there = Path(os.path.realpath(codes))  # which bears links in circles
    if there.is_relative_to(folder.resolve()):
        return
    if Path(os.path.normpath(codes.absolute())).is_relative_to(folder.absolute()):
        raise UserError(f"{codes}: leads to {there}, out of the run's folder; name a file", arguments="codes")
    if not codes.exists():
        where = folder / SETTINGS
        raise UserError(f"{where}: its codes are in {codes}, which is not there; name a file", arguments="codes")


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
