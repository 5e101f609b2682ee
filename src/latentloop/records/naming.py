"""Names of records in arguments, "FOLDER:PHOTO" or "FOLDER:PHOTO:FACE", without PyTorch and pyarrow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentloop.json_files import read_json

COMMAND = "bulk"
"""Command whose signature a folder of records carries."""
RUN = "bulk.json"
"""File in a folder of records with the properties that all records share."""


def is_record_folder(path: Path) -> bool:
    """Return whether a folder holds records of `latentloop bulk`."""
    try:
        content = read_json(path / RUN)
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("signature") == f"latentloop {COMMAND}"


def name_of(row: Mapping[str, Any]) -> str:
    """Return the name of a face: the photo's path, with the number of the face if there are several."""
    return f"{row['path']}:{row['face']}" if row["faces"] > 1 else str(row["path"])


def split_record(argument: str) -> tuple[Path, str] | None:
    """Split the name of a record, such as "codes/:anna.jpg", into folder and photo; None for any other text."""
    places = [i for i, letter in enumerate(argument) if letter == ":"]
    for place in places:
        folder, name = argument[:place], argument[place + 1 :]
        if folder and name and is_record_folder(Path(folder)):
            return Path(folder), name
    return None
