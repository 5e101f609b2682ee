"""Names of edits, for the files that hold their results, and what they say of themselves; without PyTorch."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latentloop.files import sha256_of
from latentloop.stamps import key_of

MAX_LENGTH, MAX_LABEL = 100, 24
"""Largest number of characters of an edit's name, and of a direction's in it."""
SHARES = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Fractions of the edit's strength that a strip shows."""
STRIP_TILE = 256
"""Size of the images in a strip and in a mixing table, in pixels."""
FAR = 3.0
"""Strength of a bundled direction beyond which most faces fall apart."""
ROUGH = 0.6
"""Similarity of identity below which a code is another face than the photo's."""
DIGITS = 8
"""Digits of the checksum in names too short for the whole edit."""
PLAIN = re.compile(rf"[a-z_]{{1,{MAX_LABEL}}}")
"""Names of directions that stand in an edit's name as they are, such as those of all bundled directions."""


def edit_suffix(strengths: Sequence[tuple[str, float]], *, keep: Sequence[str] = (), layers: str | None = None) -> str:
    """Name an edit in characters that any file's name may have, such as "smile1.5-age-1-keep-gender-layers0-3".

    Two edits never share a name: one that does not say all, as of directions in files, ends in a checksum, which these
    files' content is part of.

    Args:
        strengths: Names of directions, as `find_direction` takes them, and strengths.
        keep: Directions whose attributes are kept.
        layers: Layers that change; None for each direction's own.
    """
    parts = [_label(name) + _number(strength) for name, strength in strengths]
    parts += ["keep", *map(_label, keep)] if keep else []
    parts += ["layers" + re.sub(r"[^0-9a-z-]+", "+", layers.replace(" ", ""))] if layers is not None else []
    text, names = "-".join(parts), [*(name for name, _ in strengths), *keep]
    if all(map(PLAIN.fullmatch, names)) and len(text) <= MAX_LENGTH:
        return text
    stamp = {
        "set": [(_identity(name), float(strength)) for name, strength in strengths],
        "keep": [_identity(name) for name in keep],
        "layers": layers,
    }
    return f"{text[: MAX_LENGTH - DIGITS - 1]}-{key_of(stamp)[:DIGITS]}"


def record_edit(strengths: Mapping[str, float], *, keep: Sequence[str], layers: str | None) -> dict[str, Any]:
    """Record an edit for the code files that it makes, in plain JSON values; arguments as for `resolve_directions`."""
    texts = [f"{name}={strength:g}" for name, strength in strengths.items()]
    return {"set": texts, "keep": list(keep), "layers": layers}


def label_of(strengths: Sequence[tuple[str, float]], share: float) -> str:
    """Name the strengths at a share of the way, such as "smile +0.5"."""
    if not share:
        return "unedited"
    return ", ".join(f"{name} {share * strength:+.3g}" for name, strength in strengths)


def _label(name: str) -> str:
    """Shorten a direction's name to what a file's name may have: of FILE:NAME, NAME; of FILE, its stem."""
    short = Path(name).stem if _is_file(name) else name.rpartition(":")[2]
    return re.sub(r"[^0-9A-Za-z_]+", "-", short)[:MAX_LABEL].strip("-")


def _identity(name: str) -> tuple[str, str | None]:
    """Tell a direction from others: its name, and the checksum of the file that it is in, if there is one."""
    if _is_file(name):
        return "", sha256_of(Path(name))
    path, _, within = name.rpartition(":")
    return (within, sha256_of(Path(path))) if path and _is_file(path) else (name, None)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # a name that is too long
        return False


def _number(value: float) -> str:
    """Write a number in few digits that say it exactly."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))
