"""Description of the content of one of our files, for its model card."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from latentloop.editing.direction_entries import NAME as DIRECTIONS
from latentloop.editing.direction_file import read_directions
from latentloop.encoders.embedder_file import NAME as EMBEDDER
from latentloop.errors import UserError, shown
from latentloop.files import refuse_no_file
from latentloop.generators import build_generator, find_generator_file
from latentloop.generators.registry import bundled_licence
from latentloop.hub import GENERATORS
from latentloop.publishing.licences import NON_COMMERCIAL, Licence, licence_of_all, own_licence
from latentloop.weights import WeightsFile, kind_in, read_ours

Part = Literal["generator", "embedder", "directions"]


@dataclass(frozen=True)
class Contents:
    """Facts about a file that latentloop wrote."""

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
    licences: Mapping[str, str] = field(default_factory=dict)
    """Licence of each direction in the file, by its name; empty for one that has none of its own."""

    @property
    def bundled_space(self) -> bool:
        """Whether the codes are those of the bundled generators."""
        return bundled_licence(self.fingerprint) is not None

    def under(self, given: Licence) -> "Contents":
        """Return the contents with a licence for what has none of its own."""
        licences = {name: own or given.name for name, own in self.licences.items()}
        return replace(self, licence=licence_of_all(licences.values()) if licences else given, licences=licences)


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


def _of_generator(path: Path) -> Contents:
    file = find_generator_file(path)
    generator = build_generator(file, name=path.stem)
    facts = {
        "architecture": file.kind,
        "resolution": f"{generator.resolution} pixels",
        "styles of a code": f"{generator.num_ws} of {generator.w_dim} numbers",
    }
    return Contents("generator", path.stem, facts, generator.fingerprint, _licence_of(generator.fingerprint))


def _of_embedder(path: Path) -> Contents:
    ours = read_ours(WeightsFile(path), EMBEDDER, what="an embedding network", advice="latentloop train makes one")
    settings, damaged = ours.settings, f"{path}: damaged, or from another version of latentloop"
    try:
        fingerprint, styles, pixels = settings["fingerprint"], settings["num_ws"], settings["config"]["resolution"]
    except (LookupError, TypeError) as error:
        raise UserError(f"{damaged}: its settings are incomplete") from error
    if not isinstance(fingerprint, str) or not fingerprint.isalnum():
        raise UserError(f"{damaged}: its fingerprint is {shown(fingerprint)}")
    facts = {"input": f"aligned images of {shown(pixels)} pixels", "styles of a code": shown(styles)}
    return Contents("embedder", path.stem, facts, fingerprint, _licence_of(fingerprint))


def _of_directions(path: Path) -> Contents:
    found = read_directions(path).values()
    spaces = sorted({one.fingerprint for one in found})
    if len(spaces) != 1 or not spaces[0].isalnum():
        raise UserError(f"{path}: has directions of {len(spaces)} generators; push takes those of one")
    licences = {one.name: own_licence(one.licence) for one in found}
    licence = _licence_of(spaces[0]) or licence_of_all(licences.values())
    return Contents("directions", path.stem, {"directions": len(found)}, spaces[0], licence, licences)


def _licence_of(fingerprint: str) -> Licence | None:
    """The licence that weights bring along: that of the bundled generators, for whatever shares their space."""
    return NON_COMMERCIAL if bundled_licence(fingerprint) else None
