"""Reading of networks from the pickles of NVIDIA's PyTorch and TensorFlow projects, as data.

Such files contain the source code of their classes, which NVIDIA's own readers execute. Here it is never executed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch
from torch import Tensor

from latentloop.checkpoints import numpy_records
from latentloop.checkpoints.pickle_machine import Maker, Record, unpickle
from latentloop.checkpoints.torch_files import COMMON, REBUILDERS, read_storage, view

MODULE = "torch_utils.persistence._reconstruct_persistent_obj"
"""Global by which NVIDIA's PyTorch pickles store each module, with its source code."""
NETWORK = "dnnlib.tflib.network.Network"
"""Class by which NVIDIA's TensorFlow pickles store each network."""
MAX_MODULES = 10_000
"""Largest number of modules in a network: a file could nest shared modules, whose number doubles at each level."""
MAX_NAME = 1000
"""Longest prefix of a tensor's name, in characters: a file could make a module contain itself."""
REPEATED = 1 << 20
"""Numbers and characters that a network may have beyond the bytes of its file, by repeating some of them."""
LAYER_SETTINGS = ("conv_clamp", "activation")
"""Settings that convolution layers store themselves; they take precedence over the network's."""


@dataclass(frozen=True)
class Network:
    """Tensors and settings of a network, as its file stores them."""

    tensors: dict[str, Tensor]
    """Tensors by their names in the file: "a.b.c" in PyTorch, "a/b/c" in TensorFlow."""
    settings: dict[str, Any]
    """Keyword arguments that the network was built with, as far as the file has them."""
    class_name: str = ""
    """Name of the network's class, if the file has it."""


def read_pickle(file: BinaryIO) -> Any:  # noqa: ANN401
    """Read a pickle as data; networks and all objects of unknown classes become `Record`s.

    Raises:
        RefusedError: The pickle asks for more than data.
        ValueError or LookupError: The pickle is damaged.
    """
    return unpickle(file, MAKERS)


def is_module(value: object) -> bool:
    """Return whether an object is the record of a PyTorch module, with or without its source code."""
    return isinstance(value, Record) and "_modules" in _attributes(value)


def module_network(module: Record, *, size: int) -> Network:
    """Extract the tensors and settings of a PyTorch module that was pickled as a whole.

    Args:
        module: The module, as `read_pickle` returns it.
        size: Size of the file, in bytes.

    Raises:
        ValueError or LookupError: The record is not a module, or damaged.
    """
    states = dict(_states(module))
    about = _dict(module.args[0]) if module.name == MODULE else {}
    # The outermost module comes first: its keywords are those of the whole network.
    settings = dict(_dict(next((state["_init_kwargs"] for state in states.values() if state.get("_init_kwargs")), {})))
    convolving = [state for state in states.values() if "conv_clamp" in state]
    by_layers = {name: state[name] for state in convolving for name in LAYER_SETTINGS if name in state}
    name = str(about.get("class_name", module.name)).rpartition(".")[2]
    return Network(gathered(_parameters(states), size=size), settings | by_layers, name)


def tensorflow_network(network: Record, *, size: int) -> Network:
    """Extract the variables and settings of a TensorFlow network and of its components.

    The names of a component's variables begin with the component's: "mapping/" or "synthesis/".

    Args:
        network: The network, as `read_pickle` returns it.
        size: Size of the file, in bytes.

    Raises:
        ValueError or LookupError: The record is not a network, or damaged.
    """
    state = _dict(network.state)
    return Network(gathered(_all_variables(state), size=size), dict(_dict(state["static_kwargs"])))


def gathered(tensors: Iterable[tuple[str, Tensor]], *, size: int) -> dict[str, Tensor]:
    """Collect tensors by name, as long as a file of `size` bytes can hold that many numbers.

    Raises:
        ValueError: There are more numbers, because the file repeats tensors.
    """
    found, total = {}, 0
    for name, tensor in tensors:
        total += len(name) + tensor.numel()
        if total > size + REPEATED:
            raise ValueError("more numbers than a file of this size can hold")
        found[name] = tensor
    return found


def _states(root: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    """The state of a module and of all its submodules, each with the prefix of its tensors' names."""
    modules: list[tuple[str, object]] = [("", root)]
    for prefix, module in modules:  # the list grows during the loop: a breadth-first search
        if prefix and not is_module(module):  # a submodule whose class defines its own pickling
            continue
        state = _module_state(module)
        yield prefix, state
        inside = _dict(state["_modules"])
        # Checked before the list grows: modules that share one dict of children would be listed once for each of them.
        if len(modules) + len(inside) > MAX_MODULES or len(prefix) > MAX_NAME:
            raise ValueError(f"more than {MAX_MODULES} modules, or one within itself")
        modules += [(f"{prefix}{name}.", child) for name, child in inside.items() if child is not None]


def _parameters(states: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of modules."""
    for prefix, state in states.items():
        for kind in ("_parameters", "_buffers"):
            for name, value in _dict(state[kind]).items():
                if value is not None:
                    yield f"{prefix}{name}", plain_tensor(value)


def _all_variables(state: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    yield from _variables(state)
    for name, component in _dict(state["components"]).items():
        if not isinstance(component, Record):
            raise ValueError("a component that is not a network")
        yield from ((f"{name}/{variable}", tensor) for variable, tensor in _variables(_dict(component.state)))


def _module_state(module: object) -> dict[str, Any]:
    if not isinstance(module, Record) or not is_module(module):
        raise ValueError("a module that is not a record of one")
    return _attributes(module)


def _attributes(record: Record) -> dict[str, Any]:
    """The attributes of an object: its state, or, for a module with source code, the state in its only argument."""
    state = record.state
    if record.name == MODULE:
        # A dict with type, version, module_src, class_name and state; module_src, the source code, is never read.
        about = record.args[0] if record.args else None
        state = about.get("state") if isinstance(about, dict) else None
    return _dict(state) if isinstance(state, dict | Record) else {}


def _variables(state: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    for name, value in state["variables"]:
        yield str(name), plain_tensor(value)


def plain_tensor(value: object) -> Tensor:
    """Convert a value of a pickle (a tensor, a NumPy array's record or a number) to a tensor.

    Raises:
        ValueError: The value is something else.
    """
    if isinstance(value, Record):
        array = numpy_records.array_of(value)
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))  # PyTorch has native byte order only
    if isinstance(value, int | float):
        return torch.tensor(value)
    if not isinstance(value, Tensor):
        raise ValueError(f"a tensor that is a {type(value).__name__}")
    return value


def _dict(value: object) -> dict[str, Any]:
    value = value.items if isinstance(value, Record) else value
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} where a dict should be")
    return value


def _rebuild_tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> Tensor:
    if not isinstance(storage, Tensor):
        raise ValueError("a tensor without a storage")
    return view(storage, offset, size, stride)


def _storage(blob: object) -> Tensor:
    if not isinstance(blob, bytes):
        raise ValueError("a storage without bytes")
    return read_storage(blob)


MAKERS: dict[str, Maker] = {
    **COMMON,
    **dict.fromkeys(REBUILDERS, _rebuild_tensor),
    "torch.storage._load_from_bytes": _storage,
}
"""Harmless replacements for globals; an object of any other class, such as a network, becomes a `Record`."""
