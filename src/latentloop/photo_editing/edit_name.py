"""Names of edits for file names and labels, and records of edits for code files; imports no PyTorch."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latentloop.editing.direction_entries import NAME
from latentloop.files import sha256_of
from latentloop.hub import local_name, pinned
from latentloop.stamps import key_of

MAX_LENGTH, MAX_LABEL = 100, 24
"""Largest number of characters in an edit's name, and of a direction's label in it."""
SHARES = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Fractions of the edit's strength that a strip shows."""
STRIP_TILE = 256
"""Size of the images in a strip and in a mixing table, in pixels."""
FAR = 3.0
"""Strength of a bundled direction beyond which most faces fall apart."""
ROUGH = 0.6
"""Identity similarity (ID) below which a code shows another face than the photo's."""
DIGITS = 8
"""Number of checksum digits in shortened names."""
PLAIN = re.compile(rf"[a-z_]{{1,{MAX_LABEL}}}")
"""Pattern of direction names that an edit's name contains unchanged; all bundled ones match."""


def edit_suffix(strengths: Sequence[tuple[str, float]], *, keep: Sequence[str] = (), layers: str | None = None) -> str:
    """Name an edit in characters valid in any file name, such as "smile1.5-age-1-keep-gender-layers0-3".

    Different edits get different names: a name that omits something, such as the folder of a directions file, ends in
    a checksum, which covers that file's content.

    Args:
        strengths: Names of directions, as `find_direction` accepts them, and strengths.
        keep: Directions whose attributes are kept.
        layers: Layers that change; None for each direction's own.
    """
    strengths = [(local_name(name, NAME), strength) for name, strength in strengths]
    keep = [local_name(name, NAME) for name in keep]
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
    """Record an edit as JSON values for its code files; arguments as in `resolve_directions`."""
    texts = [f"{pinned(name, NAME)}={strength:g}" for name, strength in strengths.items()]
    return {"set": texts, "keep": [pinned(name, NAME) for name in keep], "layers": layers}


def label_of(strengths: Sequence[tuple[str, float]], share: float) -> str:
    """Format the strengths at a share of the edit, such as "smile +0.5"."""
    if not share:
        return "unedited"
    return ", ".join(f"{name} {share * strength:+.3g}" for name, strength in strengths)


def _label(name: str) -> str:
    """Shorten a direction's name to characters valid in a file name: NAME of FILE:NAME, the stem of FILE."""
    short = Path(name).stem if _is_file(name) else name.rpartition(":")[2]
    return re.sub(r"[^0-9A-Za-z_]+", "-", short)[:MAX_LABEL].strip("-")


def _identity(name: str) -> tuple[str, str | None]:
    """Return what identifies a direction: its name, and the checksum of its file, if it has one."""
    if _is_file(name):
        return "", sha256_of(Path(name))
    path, _, within = name.rpartition(":")
    return (within, sha256_of(Path(path))) if path and _is_file(path) else (name, None)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # a name too long for the file system
        return False


def _number(value: float) -> str:
    """Format a number in few digits, but exactly."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))
