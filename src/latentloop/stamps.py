"""Stamps, which record from what a result was made, as plain values for files.

A result is finished if it has the stamp that is wanted now, and is made again otherwise. Stamps are derived from the
options of a job. All options count unless their declaration says otherwise, so that a new option cannot be forgotten.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from latentloop.options import flat_fields

Stamp = Mapping[str, Any]
"""Options and inputs of a result, by name."""
STAMPED_AS, LEFT_OUT = "stamped as", "left out at"
"""Keys of a dataclass field's metadata."""


def neutral(default: Any) -> Any:  # noqa: ANN401 - of the field's type
    """Declare an option that does not affect results, such as a batch size."""
    return stamped_as(default=default)


def stamped_as(*entries: str, default: Any) -> Any:  # noqa: ANN401 - of the field's type
    """Declare an option that enters the stamp under other names, such as a path by its file's checksum."""
    return dataclasses.field(default=default, metadata={STAMPED_AS: entries})


def left_out_at(value: Any, *, default: Any) -> Any:  # noqa: ANN401 - of the field's type
    """Declare an option that the stamp omits at one value: the one by which earlier versions made their results."""
    return dataclasses.field(default=default, metadata={LEFT_OUT: value})


def stamp_of(options: Any, **resolved: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """Derive the stamp of a result from the options it is made with.

    Args:
        options: Dataclass of options, whose fields may be dataclasses.
        resolved: Resolved values of options such as "auto", by their names; the entries that `stamped_as` names; and
            any further inputs of the result.

    Raises:
        LookupError: An entry that `stamped_as` names is missing.
    """
    stamp: dict[str, Any] = {}
    for field, value in flat_fields(options):
        entries = field.metadata.get(STAMPED_AS)
        if missing := set(entries or ()) - resolved.keys():
            raise LookupError(f"option {field.name} is stamped as {', '.join(sorted(missing))}, which is missing")
        if entries is None and field.metadata.get(LEFT_OUT, dataclasses.MISSING) != value:
            stamp[field.name] = value
    return as_plain({**stamp, **resolved})


def as_plain(stamp: Stamp) -> dict[str, Any]:
    """Convert a stamp to the values it has after a round trip through JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(stamp), default=str))
    return plain


def differences(stamp: Stamp, other: Stamp) -> list[str]:
    """Return the sorted names of entries in which two stamps differ; a missing entry equals None."""
    one, two = as_plain(stamp), as_plain(other)
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


def key_of(stamp: Stamp) -> str:
    """Compute the SHA-256 of a stamp, in hexadecimal."""
    return hashlib.sha256(json.dumps(as_plain(stamp), sort_keys=True).encode()).hexdigest()
