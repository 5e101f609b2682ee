"""Metadata of direction files, and finding directions by name; without PyTorch."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from latentloop.editing.layer_names import parse_layers
from latentloop.errors import UserError, in_one_line, shown
from latentloop.weight_files import OurWeights, WeightsFile, shipped

SHIPPED = (shipped("directions-ffhq.safetensors", "d47d6c03831acc73bd3e083692b4a24d324176765c731f4370431788acb135d2"),)
"""Bundled files of directions."""
NAME = "directions"
"""Kind of these files, as their metadata names it."""
MAX_NAME = 100
"""Longest name of a direction, in characters."""
MAX_WS = 256
"""Largest number of layers of a direction, several times that of any generator; a damaged file may claim any."""
TEXTS = ("fingerprint", "generator", "licence", "origin")
"""Fields of a direction that the metadata stores as text."""
NOTHING = 1e-3
"""Relative length below which the rest of a direction, after others are projected out, is rounding error."""
Array = TypeVar("Array")
Found = TypeVar("Found")


def all_of(
    file: WeightsFile, ours: OurWeights[Array], make: Callable[[str, Array, Mapping[str, Any]], Found]
) -> dict[str, Found]:
    """Build all directions of a file by name, in the order in which they were saved.

    Args:
        file: The file, for error messages.
        ours: Content of the file.
        make: Function that builds a direction from its name, vector and metadata entry.

    Raises:
        UserError: The file is damaged.
    """
    try:
        about = ours.settings
        if about.keys() != ours.tensors.keys() or not about:
            raise ValueError("its metadata and its tensors name different directions")
        return {name: make(name, ours.tensors[name], about[name]) for name in about}
    except (LookupError, TypeError, ValueError, UserError) as error:
        raise UserError(f"{file.path}: damaged, or from another version of latentloop: {in_one_line(error)}") from error


def fields_of(name: str, shape: tuple[int, ...], entry: Mapping[str, Any], *, finite: bool) -> dict[str, Any]:
    """Check a direction's metadata entry, and return it as the fields of `Direction`.

    Args:
        name: Name of the direction.
        shape: Shape of its vector.
        entry: Metadata entry of the direction.
        finite: Whether all numbers of the vector are finite.

    Raises:
        ValueError, LookupError, TypeError: A field is missing, of the wrong type, or impossible.
    """
    num_ws, about = entry["num_ws"], entry["about"]
    if not name.isprintable() or len(name) > MAX_NAME:
        raise ValueError(f"a name with unprintable characters, or of more than {MAX_NAME}")
    if type(num_ws) is not int or not 0 < num_ws <= MAX_WS:
        raise ValueError(f"{name} has {shown(num_ws)} layers")
    if len(shape) < 1 or shape[:-1] not in ((), (num_ws,)) or 0 in shape or not finite:
        raise ValueError(f"{name} is {shape} with {num_ws} layers, or has numbers that are not finite")
    if not isinstance(about, dict) or not all(isinstance(entry[text], str) for text in (*TEXTS, "layers")):
        raise TypeError(f"{name} has metadata of the wrong types")
    texts = {text: entry[text] for text in TEXTS}
    return {"layers": parse_layers(entry["layers"], num_ws), "num_ws": num_ws, "about": about, **texts}


def only(path: str, directions: Mapping[str, Found]) -> Found:
    """Return the only direction of a file.

    Raises:
        UserError: The file has several directions.
    """
    if len(directions) > 1:
        few = ", ".join([*directions][:5]) + (" ..." if len(directions) > 5 else "")
        raise UserError(f"{path}: has {len(directions)} directions ({few}); name one: {path}:{next(iter(directions))}")
    return next(iter(directions.values()))


def named(path: str, name: str, directions: Mapping[str, Found]) -> Found:
    """Return the direction with a given name in a file.

    Raises:
        UserError: The file has no direction of that name.
    """
    if name not in directions:
        raise UserError(
            f"{path}: has no direction {name}{nearest(name, directions)}; see latentloop directions list {path}"
        )
    return directions[name]


def nearest(name: str, names: Mapping[str, object]) -> str:
    """Suggest the most similar of some names, as part of a message; empty if none is similar."""
    near = get_close_matches(name, names, n=1)
    return f", did you mean {near[0]}?" if near else ""
