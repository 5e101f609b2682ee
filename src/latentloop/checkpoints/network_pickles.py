"""Pickles of whole networks, by the PyTorch and TensorFlow projects of NVIDIA, as data.

Such files carry the source text of their classes, which their own readers execute. Here it stays text.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch
from torch import Tensor

from latentloop.checkpoints import numpy_records
from latentloop.checkpoints.pickle_machine import Maker, Record, unpickle
from latentloop.checkpoints.torch_files import ordered_dict, read_storage, view

MODULE = "torch_utils.persistence._reconstruct_persistent_obj"
NETWORK = "dnnlib.tflib.network.Network"
MAX_MODULES = 10_000
"""In a network; a file could have a module contain another twice, that one twice another, and so on."""
MAX_NAME = 1000
"""Characters; a file could have a module contain itself."""
REPEATED = 1 << 20
"""Numbers and characters that a network may have beyond the bytes of its file, by repeating some."""
TOLD_BY_LAYERS = ("conv_clamp", "activation")
"""Settings that layers which convolve keep, whatever their network was built with."""


@dataclass(frozen=True)
class Network:
    """A network as a file has it."""

    tensors: dict[str, Tensor]
    """By their names there: "a.b.c" in PyTorch, "a/b/c" in TensorFlow."""
    settings: dict[str, Any]
    """The keywords that it was built with, as far as they are known."""


def read_pickle(file: BinaryIO) -> Any:  # noqa: ANN401
    """What a pickle holds, its networks as records.

    Raises:
        RefusedError: It asks for more than data.
        ValueError or LookupError: It is damaged.
    """
    return unpickle(file, MAKERS)


def module_network(module: Record, *, size: int) -> Network:
    """The network of a PyTorch module of the kind that carries its source.

    Args:
        module: As a file has it.
        size: Of the file, in bytes.

    Raises:
        ValueError or LookupError: The record does not look like one.
    """
    states = dict(_states(module))
    settings = dict(_dict(states[""].get("_init_kwargs") or {}))
    convolving = [state for state in states.values() if "conv_clamp" in state]
    told = {name: state[name] for state in convolving for name in TOLD_BY_LAYERS if name in state}
    return Network(gathered(_parameters(states), size=size), settings | told)


def tensorflow_network(network: Record, *, size: int) -> Network:
    """The variables of a TensorFlow network and, with "mapping/" or "synthesis/" before them, of its components.

    Args:
        network: As a file has it.
        size: Of the file, in bytes.

    Raises:
        ValueError or LookupError: The record does not look like one.
    """
    state = _dict(network.state)
    return Network(gathered(_all_variables(state), size=size), dict(_dict(state["static_kwargs"])))


def gathered(tensors: Iterable[tuple[str, Tensor]], *, size: int) -> dict[str, Tensor]:
    """Tensors by name, of any shape, as long as they have no more numbers than a file of so many bytes can hold.

    Raises:
        ValueError: They have more, because some are the same many times.
    """
    found, total = {}, 0
    for name, tensor in tensors:
        total += len(name) + tensor.numel()
        if total > size + REPEATED:
            raise ValueError("more numbers than a file of this size can hold")
        found[name] = tensor
    return found


def _states(root: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    """The state of a module and of all within it, each with the beginning of its tensors' names."""
    modules: list[tuple[str, object]] = [("", root)]
    for count, (prefix, module) in enumerate(modules):  # which grows meanwhile
        if count >= MAX_MODULES or len(prefix) > MAX_NAME:
            raise ValueError(f"more than {MAX_MODULES} modules, or one within itself")
        state = _module_state(module)
        yield prefix, state
        inside = _dict(state["_modules"]).items()
        modules += [(f"{prefix}{name}.", child) for name, child in inside if child is not None]


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
            raise ValueError("a component that is no network")
        yield from ((f"{name}/{variable}", tensor) for variable, tensor in _variables(_dict(component.state)))


def _module_state(module: object) -> dict[str, Any]:
    if not isinstance(module, Record) or module.name != MODULE:
        raise ValueError("a module that is none")
    return _dict(_dict(module.args[0])["state"])


def _variables(state: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    for name, value in state["variables"]:
        yield str(name), plain_tensor(value)


def plain_tensor(value: object) -> Tensor:
    """A tensor, from whatever a file has for it."""
    if isinstance(value, Record):
        array = numpy_records.array_of(value)
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
    if isinstance(value, int | float):
        return torch.tensor(value)
    if not isinstance(value, Tensor):
        raise ValueError(f"a tensor that is a {type(value).__name__}")
    return value


def _dict(value: object) -> dict[str, Any]:
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
    **numpy_records.MAKERS,
    "collections.OrderedDict": ordered_dict,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch.storage._load_from_bytes": _storage,
    "torch.Size": lambda size=(): tuple(size),
    MODULE: lambda *args: Record(MODULE, args),
    "dnnlib.util.EasyDict": ordered_dict,
    NETWORK: lambda *args: Record(NETWORK, args),
}
"""What stands for the globals of such files; all others are refused."""
