"""What files of directions say beside the vectors, and how directions are found by name; without PyTorch."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from latentloop.editing.layer_names import parse_layers
from latentloop.errors import UserError, in_one_line, shown
from latentloop.weight_files import OurWeights, WeightsFile, shipped

SHIPPED = (shipped("directions-ffhq.safetensors", "d47d6c03831acc73bd3e083692b4a24d324176765c731f4370431788acb135d2"),)
"""Bundled files of directions."""
NAME = "directions"
"""Kind of these files, with which the metadata entry begins."""
MAX_NAME = 100
"""Longest name of a direction, in characters."""
MAX_WS = 256
"""Most layers of a direction, several times those of any generator. A small file may claim any."""
TEXTS = ("fingerprint", "generator", "licence", "origin")
"""Fields of a direction that the metadata stores as text."""
NOTHING = 1e-3
"""Share of a direction's length below which what is left of it, after others are kept, is rounding error."""
Array = TypeVar("Array")
Found = TypeVar("Found")


def all_of(
    file: WeightsFile, ours: OurWeights[Array], make: Callable[[str, Array, Mapping[str, Any]], Found]
) -> dict[str, Found]:
    """Make the directions of a file by their names, in the order in which they were saved.

    Args:
        file: The file, for error messages.
        ours: What it holds.
        make: Makes a direction of its name, its vector and what the metadata says of it.

    Raises:
        UserError: The file is damaged.
    """
    try:
        about = ours.settings
        if about.keys() != ours.tensors.keys() or not about:
            raise ValueError("its metadata names other directions than its tensors")
        return {name: make(name, ours.tensors[name], about[name]) for name in about}
    except (LookupError, TypeError, ValueError, UserError) as error:
        raise UserError(f"{file.path}: damaged, or of another latentloop: {in_one_line(error)}") from error


def fields_of(name: str, shape: tuple[int, ...], entry: Mapping[str, Any], *, finite: bool) -> dict[str, Any]:
    """Check what the metadata says of a direction, and give it as the fields of one.

    Args:
        name: Its name.
        shape: Shape of its vector.
        entry: What the metadata says.
        finite: Whether all numbers of the vector are finite.

    Raises:
        ValueError, LookupError, TypeError: Something is missing, or cannot be.
    """
    num_ws, about = entry["num_ws"], entry["about"]
    if not name.isprintable() or len(name) > MAX_NAME:
        raise ValueError("a name with odd characters, or none that ends")
    if type(num_ws) is not int or not 0 < num_ws <= MAX_WS:
        raise ValueError(f"{name} has {shown(num_ws)} layers")
    if len(shape) < 1 or shape[:-1] not in ((), (num_ws,)) or 0 in shape or not finite:
        raise ValueError(f"{name} is {shape} with {num_ws} layers, or has numbers that are not finite")
    if not isinstance(about, dict) or not all(isinstance(entry[text], str) for text in (*TEXTS, "layers")):
        raise TypeError(f"{name} has metadata of other types")
    texts = {text: entry[text] for text in TEXTS}
    return {"layers": parse_layers(entry["layers"], num_ws), "num_ws": num_ws, "about": about, **texts}


def only(path: str, directions: Mapping[str, Found]) -> Found:
    """Return the one direction of a file.

    Raises:
        UserError: It has several.
    """
    if len(directions) > 1:
        few = ", ".join([*directions][:5]) + (" ..." if len(directions) > 5 else "")
        raise UserError(f"{path}: has {len(directions)} directions ({few}); name one: {path}:{next(iter(directions))}")
    return next(iter(directions.values()))


def named(path: str, name: str, directions: Mapping[str, Found]) -> Found:
    """Return the direction of a name in a file.

    Raises:
        UserError: There is none.
    """
    if name not in directions:
        raise UserError(
            f"{path}: has no direction {name}{nearest(name, directions)}; see latentloop directions list {path}"
        )
    return directions[name]


def nearest(name: str, names: Mapping[str, object]) -> str:
    """Suggest the most similar of some names, as a part of a message; empty if none is similar."""
    near = get_close_matches(name, names, n=1)
    return f", did you mean {near[0]}?" if near else ""
