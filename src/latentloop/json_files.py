"""JSON of files that may be anybody's."""

import json
from pathlib import Path
from typing import Any


def decode_json(text: str | bytes) -> Any:  # noqa: ANN401
    """Decode JSON.

    Raises:
        ValueError: It is none, is nested too deeply, or has a number of thousands of digits.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def read_json(path: Path) -> Any:  # noqa: ANN401
    """Read a JSON file.

    Raises:
        OSError: The file is missing or cannot be read.
        ValueError: As `decode_json`, or it is not in UTF-8, or a pipe, which might never end.
    """
    if path.exists() and not path.is_file():
        raise ValueError("no plain file")
    return decode_json(path.read_text(encoding="utf-8"))
