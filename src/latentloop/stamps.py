"""Stamps: what a result was made from, as plain values that a file can hold.

A result whose stamp is the one that is wanted now is finished; with any other it is made again. Stamps are derived from
the options of a job, all of which count unless their declaration says otherwise: a new option cannot be forgotten.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from latentloop.options import flat_fields

Stamp = Mapping[str, Any]
STAMPED_AS, LEFT_OUT = "stamped as", "left out at"


def neutral(default: Any) -> Any:  # noqa: ANN401 - of the field's type
    """Declare an option that changes nothing about a result, such as how many photos are worked on at a time."""
    return stamped_as(default=default)


def stamped_as(*entries: str, default: Any) -> Any:  # noqa: ANN401 - of the field's type
    """Declare an option that a stamp has under other names: a file's path counts as its content's checksum."""
    return dataclasses.field(default=default, metadata={STAMPED_AS: entries})


def left_out_at(value: Any, *, default: Any) -> Any:  # noqa: ANN401 - of the field's type
    """Declare an option that a stamp leaves out at one value: that by which results of earlier versions were made."""
    return dataclasses.field(default=default, metadata={LEFT_OUT: value})


def stamp_of(options: Any, **resolved: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """Derive the stamp of what is made with some options.

    Args:
        options: A dataclass of options, whose fields may be dataclasses.
        resolved: What became of options such as "auto", by their names; the entries that `stamped_as` promises; and
            what else the result is made from.

    Raises:
        LookupError: An entry that an option is stamped as is missing.
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
    """Convert a stamp to the values that it has after a round trip through JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(stamp), default=str))
    return plain


def differences(stamp: Stamp, other: Stamp) -> list[str]:
    """Names of the entries in which two stamps differ, in order; an entry that is None and a missing one are alike."""
    one, two = as_plain(stamp), as_plain(other)
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


def key_of(stamp: Stamp) -> str:
    """SHA-256 of a stamp, in hexadecimal."""
    return hashlib.sha256(json.dumps(as_plain(stamp), sort_keys=True).encode()).hexdigest()
