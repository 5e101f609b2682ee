"""Description of the content of one of our files, for its model card."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from latentloop.editing.direction_entries import NAME as DIRECTIONS
from latentloop.editing.direction_file import read_directions
from latentloop.encoders.embedder_file import NAME as EMBEDDER
from latentloop.errors import UserError, shown
from latentloop.files import refuse_no_file
from latentloop.generators import build_generator, find_generator_file, list_generators
from latentloop.hub import GENERATORS
from latentloop.publishing.licences import NON_COMMERCIAL, Licence, licence_named
from latentloop.weights import WeightsFile, kind_in, read_ours

Part = Literal["generator", "embedder", "directions"]
UNKNOWN = "unknown"
"""Licence of a direction of which none is known."""


@dataclass(frozen=True)
class Contents:
    """Facts about a file of ours."""

    part: Part
    """Use of the file."""
    title: str
    """Name of the file without its ending."""
    facts: Mapping[str, object]
    """Properties by name, for a table."""
    fingerprint: str
    """Fingerprint of the latent space."""
    licence: Licence | None
    """Licence that the file, or what it was made from, brings along; None if none is known."""
    names: tuple[str, ...] = ()
    """Names of the directions in the file."""

    @property
    def bundled_space(self) -> bool:
        """Whether the codes are those of the bundled generators."""
        return is_bundled(self.fingerprint)


def contents_of(path: Path) -> Contents:
    """Read a file, and describe it.

    Raises:
        UserError: It is missing, damaged, or none that push takes.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file")
    refuse_no_file(path, what="a file to push")
    kind = kind_in(path)
    if kind in GENERATORS:
        return _of_generator(path)
    if kind == EMBEDDER:
        return _of_embedder(path)
    if kind == DIRECTIONS:
        return _of_directions(path)
    if kind:
        raise UserError(f"{path}: holds {shown(kind)}; push takes generators, embedding networks and directions")
    converted = path.with_suffix(".safetensors").name
    if converted == path.name:
        converted = f"{path.stem}-converted.safetensors"
    raise UserError(f"{path}: not a file of latentloop; convert it first: latentloop convert {path} {converted}")


def is_bundled(fingerprint: str) -> bool:
    """Tell whether a latent space is that of a bundled generator."""
    return fingerprint in {info.latent_space for info in list_generators()}


def _of_generator(path: Path) -> Contents:
    file = find_generator_file(path)
    generator = build_generator(file, name=path.stem)
    facts = {
        "architecture": file.kind,
        "resolution": f"{generator.resolution} pixels",
        "styles of a code": f"{generator.num_ws} of {generator.w_dim} numbers",
    }
    licence = licence_of(file.settings, generator.fingerprint)
    return Contents("generator", path.stem, facts, generator.fingerprint, licence)


def _of_embedder(path: Path) -> Contents:
    ours = read_ours(WeightsFile(path), EMBEDDER, what="an embedding network", advice="latentloop train makes one")
    settings = ours.settings
    try:
        fingerprint, styles, pixels = settings["fingerprint"], settings["num_ws"], settings["config"]["resolution"]
    except (LookupError, TypeError) as error:
        raise UserError(f"{path}: damaged, or of another latentloop: its settings are incomplete") from error
    if not isinstance(fingerprint, str) or not fingerprint.isalnum():
        raise UserError(f"{path}: damaged, or of another latentloop: its fingerprint is {shown(fingerprint)}")
    facts = {"input": f"aligned images of {shown(pixels)} pixels", "styles of a code": shown(styles)}
    return Contents("embedder", path.stem, facts, fingerprint, licence_of(settings, fingerprint))


def _of_directions(path: Path) -> Contents:
    found = read_directions(path).values()
    spaces = sorted({one.fingerprint for one in found})
    if len(spaces) != 1 or not spaces[0].isalnum():
        raise UserError(f"{path}: has directions of {len(spaces)} generators; push takes those of one")
    own = sorted({one.licence for one in found} - {UNKNOWN, ""})
    licence = licence_named(" and ".join(own)) if own else licence_of({}, spaces[0])
    return Contents(
        "directions", path.stem, {"directions": len(found)}, spaces[0], licence, tuple(o.name for o in found)
    )


def licence_of(settings: Mapping[str, Any], fingerprint: str) -> Licence | None:
    """Find the licence that weights bring along: their own, or that of the bundled generator whose space they share.

    Args:
        settings: What the file says of itself.
        fingerprint: Fingerprint of its latent space.
    """
    if is_bundled(fingerprint):
        return NON_COMMERCIAL
    own = settings.get("licence")
    return licence_named(own) if isinstance(own, str) and own.strip() else None
