"""Direction files: safetensors with one tensor per direction, and one metadata entry for the rest."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentloop.editing.direction_entries import NAME, TEXTS, all_of, fields_of, named, nearest, only
from latentloop.editing.direction_entries import SHIPPED as SHIPPED
from latentloop.editing.directions import Direction
from latentloop.editing.fitting import fitted
from latentloop.editing.foreign_directions import read_foreign_directions
from latentloop.editing.layers import describe_layers
from latentloop.errors import UserError
from latentloop.files import refuse_no_file
from latentloop.generators import Generator
from latentloop.hub import local_name
from latentloop.weights import WeightsFile, is_safetensors, kind_in, read_ours, write_ours


def save_directions(path: Path, directions: Sequence[Direction]) -> None:
    """Write directions to a file that `read_directions` reads, atomically; float16 vectors stay float16.

    Raises:
        UserError: A name is empty, repeated or has unusable characters, or the file cannot be written.
    """
    names = [direction.name for direction in directions]
    for name in names:
        if not name.isprintable() or ":" in name or name.strip() != name or not name or names.count(name) > 1:
            raise UserError(
                f"{path}: {name!r} cannot name a direction: it is repeated, empty or has unusable characters"
            )
    about = {direction.name: _metadata(direction) for direction in directions}
    tensors = {direction.name: _stored(direction.vector) for direction in directions}
    write_ours(path, NAME, tensors, about)


def is_direction_file(path: Path) -> bool:
    """Return whether `save_directions` wrote a file."""
    return kind_in(path) == NAME


def read_directions(path: Path | WeightsFile) -> dict[str, Direction]:
    """Read the directions of a latentloop file by name, in the order in which they were saved.

    Raises:
        UserError: The file is missing, damaged, of another kind, or has numbers that are not finite.
    """
    file = path if isinstance(path, WeightsFile) else WeightsFile(Path(local_name(path, NAME)))
    ours = read_ours(file, NAME, what="a file of directions", advice="latentloop directions find makes one")
    return all_of(file, ours, _direction)


def shipped_directions(generator: Generator) -> dict[str, Direction]:
    """Load the bundled directions that fit a generator's latent space, by name; most generators have none."""
    ours = [direction for file in SHIPPED for direction in read_directions(file).values()]
    return {one.name: fitted(one, generator) for one in ours if one.fingerprint == generator.fingerprint}


def directions_in(path: Path, generator: Generator) -> dict[str, Direction]:
    """Read the directions of a file, ours or another project's, for a generator.

    Raises:
        UserError: The file is missing, has no directions, is damaged, or belongs to another generator.
    """
    path = Path(local_name(path, NAME))
    refuse_no_file(path, what="a file of directions")
    if not is_safetensors(path):
        return read_foreign_directions(path, generator)
    found = read_directions(path).values()
    try:
        return {direction.name: fitted(direction, generator) for direction in found}
    except UserError as error:
        raise error.within(path) from error


def find_direction(name_or_path: str | Path, generator: Generator) -> Direction:
    """Load one direction for a generator.

    Args:
        name_or_path: Name of a bundled direction, a file with one direction, or FILE:NAME for a file with several. A
            file may be an address on the Hugging Face Hub: hf://OWNER/REPO:NAME.
        generator: Generator whose codes the direction is to change.

    Raises:
        UserError: There is no such direction, or it belongs to another generator.
    """
    text = local_name(name_or_path, NAME)
    if direction := shipped_directions(generator).get(text):
        return direction
    if Path(text).is_file():
        return only(text, directions_in(Path(text), generator))
    path, _, name = text.rpartition(":")
    if path and Path(path).is_file():
        return named(path, name, directions_in(Path(path), generator))
    raise _unknown(text, generator)


def _unknown(text: str, generator: Generator) -> UserError:
    """The error for a name that no direction of the generator has."""
    for file in SHIPPED:
        if other := read_directions(file).get(text):
            return UserError(f"{text}: a direction of {other.generator}, not of {generator.name}")
    near = f"{generator.name}{nearest(text, shipped_directions(generator))}"
    return UserError(f"{text}: neither a file nor a bundled direction of {near}; see latentloop directions list")


def _metadata(direction: Direction) -> dict[str, Any]:
    texts = {text: getattr(direction, text) for text in TEXTS}
    layers = describe_layers(direction.layers)
    return {**texts, "layers": layers, "num_ws": direction.num_ws, "about": direction.about}


def _stored(vector: Tensor) -> Tensor:
    dtype = torch.float16 if vector.dtype == torch.float16 else torch.float32
    return vector.detach().to("cpu", dtype, copy=True).contiguous()  # safetensors refuses tensors that share memory


def _direction(name: str, vector: Tensor, entry: Mapping[str, Any]) -> Direction:
    """A direction from its tensor and metadata entry."""
    finite = bool(vector.isfinite().all())
    return Direction(name=name, vector=vector, **fields_of(name, tuple(vector.shape), entry, finite=finite))
