"""Safe reading of JSON files from any source."""

import json
from pathlib import Path
from typing import Any


def decode_json(text: str | bytes) -> Any:  # noqa: ANN401
    """Decode a JSON text.

    Raises:
        ValueError: The text is not JSON, is nested too deeply, or has a number with thousands of digits.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def read_json(path: Path) -> Any:  # noqa: ANN401
    """Read and decode a JSON file.

    Raises:
        OSError: The file is missing or cannot be read.
        ValueError: The content is not JSON in UTF-8, or the path is a pipe, which might never end.
    """
    if path.exists() and not path.is_file():
        raise ValueError("not a regular file")
    return decode_json(path.read_text(encoding="utf-8"))
