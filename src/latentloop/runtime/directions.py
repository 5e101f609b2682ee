"""Directions in NumPy, as in `latentloop.editing.directions` and `direction_file`, for editing with the runtime."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentloop.editing.direction_entries import NAME, NOTHING, SHIPPED, all_of, fields_of, named, nearest, only
from latentloop.editing.layer_names import parse_layers
from latentloop.errors import UserError
from latentloop.runtime.arrays import Doubles, Floats
from latentloop.runtime.networks import Networks
from latentloop.weight_files import WeightsFile, read_our_arrays


@dataclass(frozen=True)
class Direction:
    """A direction of a latent space and its provenance."""

    name: str
    """Name of the direction, such as "smile"."""
    vector: Floats
    """Change at strength 1: of every style, (w_dim,), or of each layer's style, (num_ws, w_dim)."""
    layers: tuple[int, ...]
    """Layers that the direction changes, in ascending order."""
    num_ws: int
    """Number of styles of the codes that the direction is for."""
    fingerprint: str
    """Fingerprint of the latent space."""
    generator: str
    """Name of the generator that the direction was computed for."""
    licence: str = "unknown"
    """Licence under which the direction may be used."""
    origin: str = ""
    """Author and method of the direction."""
    about: dict[str, Any] = field(default_factory=dict)
    """Measurements of the direction, as JSON values."""

    def change(self) -> Floats:
        """Compute the change of a code at strength 1, (num_ws, w_dim)."""
        change = np.zeros((self.num_ws, self.vector.shape[-1]), np.float32)
        rows = list(self.layers)
        change[rows] = np.broadcast_to(self.vector, change.shape)[rows]
        return change


def edit(w_plus: Floats, edits: Iterable[tuple[Direction, float]]) -> Floats:
    """Move codes (N, num_ws, w_dim) along several directions with their strengths."""
    for direction, strength in edits:
        if strength:
            w_plus = w_plus + np.float32(strength) * direction.change()
    return w_plus


def conditional(direction: Direction, kept: Sequence[Direction]) -> Direction:
    """Project other directions out of a direction, so that their attributes change less.

    This is InterFaceGAN's conditional manipulation (Shen et al., arXiv:1907.10786, section 2.2), on the layers that the
    direction changes.
    """
    if not kept:
        return direction
    rows = list(direction.layers)
    change: Doubles = direction.change()[rows].astype(np.float64)
    span = np.stack([np.broadcast_to(one.vector, (one.num_ws, change.shape[1]))[rows].ravel() for one in kept])
    span = span.astype(np.float64)
    rest = change.ravel() - span.T @ (np.linalg.pinv(span.T) @ change.ravel())
    vector = np.zeros((direction.num_ws, change.shape[1]), np.float32)
    vector[rows] = rest.reshape(change.shape)
    return replace(direction, vector=vector)


def read_directions(path: Path | WeightsFile) -> dict[str, Direction]:
    """Read the directions of a latentloop file by name, in the order in which they were saved.

    Raises:
        UserError: The file is missing, damaged, of another kind, or has numbers that are not finite.
    """
    file = path if isinstance(path, WeightsFile) else WeightsFile(path)
    ours = read_our_arrays(file, NAME, what="a file of directions", advice="latentloop directions find makes one")
    return all_of(file, ours, _direction)


def shipped_directions(networks: Networks) -> dict[str, Direction]:
    """Load the bundled directions that fit a generator's latent space, by name; most generators have none."""
    ours = [one for file in SHIPPED for one in read_directions(file).values()]
    return {one.name: fitted(one, networks) for one in ours if one.fingerprint == networks.fingerprint}


def fitted(direction: Direction, networks: Networks) -> Direction:
    """Adapt a direction to a generator of the same latent space with any number of layers.

    Raises:
        UserError: The direction belongs to another latent space, or changes layers that the generator lacks.
    """
    if (direction.fingerprint, direction.vector.shape[-1]) != (networks.fingerprint, networks.w_dim):
        raise UserError(
            f"{direction.name}: a direction of {direction.generator} (latent space {direction.fingerprint}), "
            f"not of {networks.generator} (latent space {networks.fingerprint})"
        )
    if direction.num_ws == networks.num_ws:
        return direction
    num_ws, layers, rows = networks.num_ws, direction.layers, direction.change()[list(direction.layers)]
    if len(layers) == direction.num_ws and (rows == rows[0]).all():
        return replace(direction, vector=rows[0], layers=tuple(range(num_ws)), num_ws=num_ws)
    if len(layers) == direction.num_ws or layers[-1] >= num_ws:
        raise UserError(f"{direction.name}: changes {direction.num_ws} layers, {networks.generator} has {num_ws}")
    vector = np.zeros((num_ws, networks.w_dim), np.float32)
    vector[list(layers)] = rows
    return replace(direction, vector=vector, num_ws=num_ws)


def find_direction(text: str, networks: Networks) -> Direction:
    """Load one direction for a generator.

    Args:
        text: Name of a bundled direction, a latentloop file with one direction, or FILE:NAME for a file with several.
        networks: Generator whose codes the direction is to change.

    Raises:
        UserError: There is no such direction, or it belongs to another generator.
    """
    shipped = shipped_directions(networks)
    if text in shipped:
        return shipped[text]
    if Path(text).is_file():
        return fitted(only(text, read_directions(Path(text))), networks)
    path, _, name = text.rpartition(":")
    if path and Path(path).is_file():
        return fitted(named(path, name, read_directions(Path(path))), networks)
    near = f"{networks.generator}{nearest(text, shipped)}"
    raise UserError(f"{text}: neither a file nor a bundled direction of {near}; see latentloop-lite directions")


def resolve(
    strengths: Mapping[str, float], networks: Networks, *, keep: Sequence[str] = (), layers: str | None = None
) -> list[tuple[Direction, float]]:
    """Look up the directions of an edit, and restrict them to the layers and attributes that may change.

    Args:
        strengths: Strengths by direction, each named as in `find_direction`.
        networks: Generator whose codes are edited.
        keep: Directions that are projected out of the others, see `conditional`.
        layers: Layers to change, such as coarse or 0-3; None for each direction's own.

    Raises:
        UserError: A direction or layer does not exist, a direction belongs to another generator, or nothing of a
            direction remains after the restrictions.
    """
    kept = [find_direction(name, networks) for name in keep]
    edits = []
    for name, strength in strengths.items():
        direction = find_direction(name, networks)
        if layers is not None:
            direction = replace(direction, layers=parse_layers(layers, networks.num_ws))
        rest = conditional(direction, kept)
        if np.linalg.norm(rest.change()) <= NOTHING * np.linalg.norm(direction.vector):
            message = f"{name}: nothing is left to change after removing what is kept, in these layers"
            raise UserError(message, arguments=("keep", "layers"))
        edits.append((rest, strength))
    return edits


def _direction(name: str, vector: npt.NDArray[np.float32], entry: Mapping[str, Any]) -> Direction:
    finite = bool(np.isfinite(vector).all())
    return Direction(name=name, vector=vector, **fields_of(name, vector.shape, entry, finite=finite))
