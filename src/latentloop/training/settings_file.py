"""Options of a run in its folder, config.json, and the names of its checkpoints."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from latentloop.errors import UserError, in_one_line
from latentloop.files import replacing
from latentloop.hub import GENERATORS, is_address, pinned
from latentloop.json_files import read_json
from latentloop.options import with_changes
from latentloop.training.options import TrainOptions

SETTINGS, CHECKPOINTS, CODES = "config.json", "checkpoints", "codes.cache"
CHECKPOINT = re.compile(r"step-\d{8,}\.safetensors")
"""Pattern of checkpoint file names."""
LENGTH = ("steps", "minutes")
"""Options that determine the length of a run, which resuming may change."""
KINDS = {"generator": GENERATORS, "quick": GENERATORS, "start": ("embedder",)}
"""Kinds of our files that options may name."""
GROUPED = ("generator", "device", "seed")
"""Options that the file stores in a separate group, "common"."""


def write_options(options: TrainOptions) -> None:
    """Write a run's options into its folder, with absolute paths; the file appears whole or not at all.

    Raises:
        UserError: The file cannot be written.
    """
    plain = asdict(_from_anywhere(options))
    settings = {"common": {name: plain.pop(name) for name in GROUPED}, **plain}
    with replacing(options.out / SETTINGS) as part:
        part.write_text(json.dumps(settings, indent=2, default=str) + "\n", encoding="utf-8")


def read_options(folder: Path, *, codes: str | None = None) -> TrainOptions:
    """Read the options of the run in a folder, even if the folder was moved.

    The folder may come from someone else: it decides where a run starts, never where files are written.

    Args:
        folder: Folder of the run.
        codes: File of the best codes that replaces the run's; None for the one in the options, which must be in the
            folder or exist already. Links out of the folder are refused.

    Raises:
        UserError: The file is missing, or not the options of a run, or the codes would create a file elsewhere.
    """
    path = folder / SETTINGS
    try:
        settings = _flat(read_json(path))
        settings.pop("resume", None)  # present in files of earlier versions, without meaning
        options = with_changes(TrainOptions(), settings | {"out": folder} | ({"codes": codes} if codes else {}))
    except OSError as error:
        raise UserError(f"{path}: cannot read a run's settings: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: not the settings of a run: {in_one_line(error)}") from error
    if not codes:
        _refuse_elsewhere(Path(options.codes) if options.codes else folder / CODES, folder)
    return options


def checkpoints_in(folder: Path) -> list[Path]:
    """List a run's checkpoints, ordered by step."""
    found = (folder / CHECKPOINTS).glob("step-*.safetensors")
    return sorted(path for path in found if CHECKPOINT.fullmatch(path.name))


def _refuse_elsewhere(codes: Path, folder: Path) -> None:
    """Refuse codes that would create a file outside the folder, or that a link leads outside."""
    there = Path(os.path.realpath(codes))  # unlike Path.resolve, it does not fail on circular links
    if there.is_relative_to(folder.resolve()):
        return
    if Path(os.path.normpath(codes.absolute())).is_relative_to(folder.absolute()):
        raise UserError(f"{codes}: leads to {there}, out of the run's folder; name a file", arguments="codes")
    if not codes.exists():
        where = folder / SETTINGS
        raise UserError(f"{where}: its codes are in {codes}, which does not exist; name a file", arguments="codes")


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten nested options to their names, with lists as tuples."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value) if isinstance(value, dict) else {name: tuple(value) if isinstance(value, list) else value}
    return flat


def _from_anywhere(options: TrainOptions) -> TrainOptions:
    """Return the same options with absolute paths and named commits, for another working directory and time."""
    paths = {name: getattr(options, name) for name in ("generator", "quick", "start")}
    found = {name: str(Path(path).absolute()) for name, path in paths.items() if path and Path(path).exists()}
    found |= {name: pinned(path, *KINDS[name]) for name, path in paths.items() if path and is_address(path)}
    options = replace(
        options,
        data=tuple(str(Path(argument).absolute()) for argument in options.data),
        validation=tuple(str(Path(argument).absolute()) for argument in options.validation),
        codes=str(Path(options.codes).absolute()) if options.codes else None,
    )
    return with_changes(options, found)
