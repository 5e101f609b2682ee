"""Finding the generator in a checkpoint, under whatever name its project stored it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from torch import Tensor

from latentloop.checkpoints.network_pickles import (
    NETWORK,
    Network,
    gathered,
    is_module,
    module_network,
    plain_tensor,
    tensorflow_network,
)
from latentloop.checkpoints.pickle_machine import Record
from latentloop.defaults import Which
from latentloop.errors import UserError

AVERAGE = "latent_avg"
"""Key of the mean latent in the checkpoints of pSp, ReStyle and rosinality."""
AVERAGES = (AVERAGE, "mapping.w_avg", "dlatent_avg", "truncation.w_avg")
"""Names of the mean latent among a generator's tensors."""
NAMES: dict[Which, tuple[str, ...]] = {
    "g_ema": (
        *("g_ema", "generator_smooth", "generator_ema", "netg_ema", "params_ema", "ema", "gs", "model_ema"),
        *("ema_model", "ema_generator", "g_running", "generator_running", "g_smooth"),
    ),
    "g": ("g", "generator", "netg", "params"),
}
"""Names under which projects store the two generators, normalised by `_plain`: keys of a dict, or parts of tensors'
names."""
OPPONENTS = ("d", "discriminator", "netd")
"""Normalised names of the discriminator, by which a training checkpoint is recognised."""
PLAIN = (
    *("state_dict", "model", "module", "weights", "gan", "models", "net", "network", "nets", "networks"),
    *("checkpoint", "ckpt"),
)
"""Normalised names under which projects store their only network, or all networks together."""
MAX_PARTS = 1000
"""Largest number of items that are searched in nested lists, or in a dict: a file could nest shared lists endlessly."""
DEPTH = 3
"""Largest depth of nested dicts that are searched."""
_BEGINNING = re.compile(r"((?:[^.]+\.)*?)(?:synthesis\.|input\.input$)")
"""Beginning of a generator tensor's name: a prefix such as "decoder.", then a part that all projects share."""


def find_generator(content: object, which: Which, *, size: int) -> Network:
    """Extract the generator from the content of a checkpoint.

    Args:
        content: Content of the file, as `read_torch_file` or `read_pickle` returns it.
        which: Which of the checkpoint's generators to extract.
        size: Size of the file, in bytes.

    Raises:
        UserError: The checkpoint has no such generator.
        ValueError or LookupError: The checkpoint is damaged.
    """
    # A tuple is (G, D, Gs) of TensorFlow; a record, a module pickled whole; a dict, anything else.
    if isinstance(content, tuple | list):
        return _of_several(content, which, size)
    if isinstance(content, Record) and _is_network(content):
        return _part_of(_network(content, size), which)
    if not isinstance(content, Mapping):
        kind = content.name if isinstance(content, Record) else type(content).__name__
        kind = "TorchScript program, which is not supported" if kind.startswith("__torch__.") else kind
        raise UserError(f"not a checkpoint of a generator, but a {kind}")
    network = _of_dict(content, which, size, depth=DEPTH, seen=set())
    if network is None:
        raise UserError(f"has no generator {which}, but {_listed(content)}")
    return network


def _of_dict(content: Mapping[Any, Any], which: Which, size: int, *, depth: int, seen: set[int]) -> Network | None:
    """The generator in a dict, with the mean latent that may be stored beside it; None if there is no generator.

    Args:
        content: Dict to search.
        which: Which of the generators to find.
        size: Size of the file, in bytes.
        depth: Depth of nested dicts that are still searched.
        seen: Identities of dicts that were searched already: a file could store one dict in many places.
    """
    seen.add(id(content))
    found, by_name = _under_its_name(content, which, size), _by_plain_name(content)
    for inside in (by_name.get(name) for name in PLAIN) if depth and found is None else ():
        if isinstance(inside, Mapping) and id(inside) in seen:
            continue
        if isinstance(inside, Mapping):
            found = _of_dict(inside, which, size, depth=depth - 1, seen=seen)
        elif _is_network(inside):
            found = _part_of(_network(inside, size), which)
        if found is not None:
            break
    if found is None and (network := _network(content, size)).tensors.keys() - {AVERAGE}:
        found = _part_of(network, which)
    if found is None and which == "g_ema":
        found = _the_raw_one(content, size)
    # rosinality's converted files and pSp keep the mean latent beside the network.
    mean = _tensor(content.get(AVERAGE))
    if found is None or mean is None:
        return found
    tensors = found.tensors | {AVERAGE: mean}
    return Network(gathered(tensors.items(), size=size), found.settings, found.class_name)


def _the_raw_one(content: Mapping[Any, Any], size: int) -> Network | None:
    """The raw generator if there is no averaged one; an error for a training checkpoint, which should have both."""
    raw = _under_its_name(content, "g", size)
    if raw is not None and _by_plain_name(content).keys() & {*NAMES["g_ema"], *OPPONENTS}:
        raise UserError(f"has no generator g_ema, but {_listed(content)}; g can be taken instead", arguments="which")
    return raw


def _under_its_name(content: Mapping[Any, Any], which: Which, size: int) -> Network | None:
    """The network under the first key of `NAMES` that has one; None if no key has."""
    by_name = _by_plain_name(content)
    for name in NAMES[which]:
        value = by_name.get(name)
        # Some projects wrap a network once more, such as {"g_ema": {"state_dict": ...}}.
        inside = next((value[key] for key in PLAIN if key in value), value) if isinstance(value, Mapping) else value
        if _is_network(inside):
            return _part_of(_network(inside, size), None)
    return None


def _of_several(content: Sequence[Any], which: Which, size: int) -> Network:
    """The generator among several networks: the last for g_ema, the first for g, as in NVIDIA's (G, D, Gs)."""
    parts = _parts(content)
    if checkpoints := [part for part in parts if _has_named(part)]:
        return find_generator(checkpoints[-1], which, size=size)
    networks = [part for part in parts if _is_network(part)]
    with_mean = list(_with_mean(networks if which == "g" else networks[::-1], size))
    if not with_mean:
        kind = type(content).__name__
        raise UserError(
            f"no network with a mean latent, but a {kind} of {len(networks)} networks in {len(content)} items"
        )
    if which == "g" and len(with_mean) == 1:
        _only_one(which)
    return with_mean[0]


def _with_mean(networks: Sequence[Any], size: int) -> Iterator[Network]:
    """Networks with a mean latent, that is, the generators among some networks."""
    for network in networks:
        try:
            found = _part_of(_network(network, size), None)
        except (ValueError, LookupError):  # a network of an unknown class
            continue
        if any(name in found.tensors for name in AVERAGES):
            yield found


def _is_network(value: object) -> bool:
    if isinstance(value, Record):
        return value.name == NETWORK or is_module(value)
    first = islice(value.values(), MAX_PARTS) if isinstance(value, Mapping) else ()
    return any(_tensor(inside) is not None for inside in first)


def _parts(content: Sequence[Any]) -> list[Any]:
    """Items of nested lists and tuples, outermost first, each object once."""
    parts: list[Any] = [content]
    for part in parts:  # the list grows during the loop: a breadth-first search
        if isinstance(part, list | tuple) and len(parts) + len(part) <= MAX_PARTS:
            parts += part
    return list({id(part): part for part in parts if not isinstance(part, list | tuple)}.values())


def _has_named(part: object) -> bool:
    """Whether a part is a dict of networks under known names, rather than a network's tensors."""
    known = {*NAMES["g_ema"], *NAMES["g"], *PLAIN}
    return isinstance(part, Mapping) and any(
        name in known and (isinstance(value, Mapping) or _is_network(value))
        for name, value in _by_plain_name(part).items()
    )


def _plain(name: str) -> str:
    """A name normalised for `NAMES`, such as "g_ema" for "G_ema_state_dict"."""
    return name.lower().removesuffix("_state_dict")


def _by_plain_name(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Items of a dict by their normalised names; of equal names the first counts."""
    return {_plain(key): content[key] for key in reversed(list(content)) if isinstance(key, str)}


def _network(value: Any, size: int) -> Network:  # noqa: ANN401 - for which `_is_network` holds
    if isinstance(value, Record):
        return (tensorflow_network if value.name == NETWORK else module_network)(value, size=size)
    tensors = ((name, _tensor(inside)) for name, inside in value.items() if isinstance(name, str))
    return Network(gathered(((name, one) for name, one in tensors if one is not None), size=size), {})


def _part_of(network: Network, which: Which | None) -> Network:
    """The generator within a network, with prefixes such as "module." or "decoder." removed from its tensors' names.

    Args:
        network: A generator, an encoder with a generator, or several networks.
        which: Which of the generators; None for any.

    Raises:
        UserError: g is asked for, but there is only one generator.
    """
    parts = dict.fromkeys(match[1] for match in map(_BEGINNING.match, network.tensors) if match)  # prefixes, in order
    named = {name: [p for p in parts if set(map(_plain, p.split("."))) & set(NAMES[name])] for name in NAMES}
    if which == "g" and not named["g"]:
        _only_one(which)
    unnamed = [part for part in parts if part not in (*named["g"], *named["g_ema"])]
    # For g_ema: a part of that name, else one without a telling name, else the raw generator.
    order = [*named["g"]] if which == "g" else [*named["g_ema"], *unnamed, *named["g"]]
    part = order[0] if order else _common_part(network.tensors)
    tensors = {name.removeprefix(part): t for name, t in network.tensors.items() if name.startswith(part)}
    mean = {AVERAGE: network.tensors[AVERAGE]} if AVERAGE in network.tensors else {}
    return Network(mean | tensors, network.settings, network.class_name)


def _common_part(names: Mapping[str, Tensor]) -> str:
    """The prefix that PyTorch's parallel modules put before every name, for a network of an unknown layout."""
    return "module." if names and all(name.startswith("module.") for name in names) else ""


def _only_one(which: Which) -> None:
    """Raise a UserError if the raw generator is asked for, in a file that has only one."""
    if which != "g_ema":
        raise UserError(f"has only one generator, so {which} cannot be chosen", arguments="which")


def _tensor(value: object) -> Tensor | None:
    """A value as a tensor if it is a tensor or a NumPy array of numbers; None for anything else."""
    if not isinstance(value, Record):
        return value if isinstance(value, Tensor) else None
    try:
        return plain_tensor(value)
    except (ValueError, TypeError):
        return None


def _listed(names: Mapping[Any, Any]) -> str:
    """The first few names, for an error message."""
    first = [str(name)[:40] for name in list(names)[:5]]
    return (", ".join(first) + (f" and {len(names) - 5} more" if len(names) > 5 else "")) or "nothing"
