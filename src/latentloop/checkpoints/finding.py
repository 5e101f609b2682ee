"""Finding the generator among all that a checkpoint holds, whichever names its project gave it."""

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
"""Key of the mean latent in checkpoints of pSp, ReStyle and rosinality's projects."""
AVERAGES = (AVERAGE, "mapping.w_avg", "dlatent_avg", "truncation.w_avg")
"""Names of the mean latent among a generator's tensors."""
NAMES: dict[Which, tuple[str, ...]] = {
    "g_ema": (
        *("g_ema", "generator_smooth", "generator_ema", "netg_ema", "params_ema", "ema", "gs", "model_ema"),
        *("ema_model", "ema_generator", "g_running", "generator_running", "g_smooth"),
    ),
    "g": ("g", "generator", "netg", "params"),
}
"""Names, plain as `_plain` makes them, under which projects store the two generators: keys of a dict, or parts of the
names of tensors."""
OPPONENTS = ("d", "discriminator", "netd")
"""Plain names of the network that a generator is trained against, by which a training's checkpoint is recognised."""
PLAIN = (
    *("state_dict", "model", "module", "weights", "gan", "models", "net", "network", "nets", "networks"),
    *("checkpoint", "ckpt"),
)
"""Plain names under which projects store their only network, or all of them together."""
MAX_PARTS = 1000
"""Most things that lists and tuples within each other, or a dict, are searched for. A file could have them share each
other."""
DEPTH = 3
"""Most dicts within each other that are searched."""
_BEGINNING = re.compile(r"((?:[^.]+\.)*?)(?:synthesis\.|input\.input$)")
"""Name of a generator's tensor, from the part that it belongs to, such as "decoder.", to what all projects have."""


def find_generator(content: object, which: Which, *, size: int) -> Network:
    """Extract the generator from the content of a checkpoint.

    Args:
        content: What the file holds, as `read_torch_file` or `read_pickle` returns it.
        which: Which of the generators in it.
        size: Size of the file, in bytes.

    Raises:
        UserError: There is no such generator.
        ValueError or LookupError: The checkpoint is damaged.
    """
    if isinstance(content, tuple | list):
        return _of_several(content, which, size)
    if isinstance(content, Record) and _is_network(content):
        return _part_of(_network(content, size), which)
    if not isinstance(content, Mapping):
        kind = content.name if isinstance(content, Record) else type(content).__name__
        kind = "TorchScript program, which is not supported" if kind.startswith("__torch__.") else kind
        raise UserError(f"no checkpoint of a generator, but a {kind}")
    network = _of_dict(content, which, size, depth=DEPTH, seen=set())
    if network is None:
        raise UserError(f"has no generator {which}, but {_listed(content)}")
    return network


def _of_dict(content: Mapping[Any, Any], which: Which, size: int, *, depth: int, seen: set[int]) -> Network | None:
    """The generator of a dict, with the mean latent that may lie beside it; None if there is none.

    Args:
        content: The dict.
        which: Which of the generators.
        size: Size of the file, in bytes.
        depth: Most dicts within each other that are still searched.
        seen: Identities of dicts that need not be searched again: a file could have a dict hold another many times.
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
    mean = _tensor(content.get(AVERAGE))
    if found is None or mean is None:
        return found
    tensors = found.tensors | {AVERAGE: mean}
    return Network(gathered(tensors.items(), size=size), found.settings, found.class_name)


def _the_raw_one(content: Mapping[Any, Any], size: int) -> Network | None:
    """The raw generator in place of the mean one, unless the file is of a training, which should have had both."""
    raw = _under_its_name(content, "g", size)
    if raw is not None and _by_plain_name(content).keys() & {*NAMES["g_ema"], *OPPONENTS}:
        raise UserError(f"has no generator g_ema, but {_listed(content)}; g can be taken instead", arguments="which")
    return raw


def _under_its_name(content: Mapping[Any, Any], which: Which, size: int) -> Network | None:
    """The network under the first of the keys for a generator that has one."""
    by_name = _by_plain_name(content)
    for name in NAMES[which]:
        value = by_name.get(name)
        inside = next((value[key] for key in PLAIN if key in value), value) if isinstance(value, Mapping) else value
        if _is_network(inside):
            return _part_of(_network(inside, size), None)
    return None


def _of_several(content: Sequence[Any], which: Which, size: int) -> Network:
    """The last generator of several networks, or the first, as in NVIDIA's generator, discriminator, mean generator."""
    parts = _parts(content)
    if checkpoints := [part for part in parts if _has_named(part)]:
        return find_generator(checkpoints[-1], which, size=size)
    networks = [part for part in parts if _is_network(part)]
    with_mean = list(_with_mean(networks if which == "g" else networks[::-1], size))
    if not with_mean:
        kind = type(content).__name__
        raise UserError(
            f"no network with a mean latent, but a {kind} of {len(networks)} networks in {len(content)} things"
        )
    if which == "g" and len(with_mean) == 1:
        _only_one(which)
    return with_mean[0]


def _with_mean(networks: Sequence[Any], size: int) -> Iterator[Network]:
    """Those of some networks that are generators and can be read."""
    for network in networks:
        try:
            found = _part_of(_network(network, size), None)
        except (ValueError, LookupError):  # of a class that we do not know
            continue
        if any(name in found.tensors for name in AVERAGES):
            yield found


def _is_network(value: object) -> bool:
    if isinstance(value, Record):
        return value.name == NETWORK or is_module(value)
    first = islice(value.values(), MAX_PARTS) if isinstance(value, Mapping) else ()
    return any(_tensor(inside) is not None for inside in first)


def _parts(content: Sequence[Any]) -> list[Any]:
    """What lists and tuples within each other hold, the outermost first, each thing once."""
    parts: list[Any] = [content]
    for part in parts:  # which grows meanwhile
        if isinstance(part, list | tuple) and len(parts) + len(part) <= MAX_PARTS:
            parts += part
    return list({id(part): part for part in parts if not isinstance(part, list | tuple)}.values())


def _has_named(part: object) -> bool:
    """Whether something is a dict with networks under names that we know, rather than a network's tensors."""
    known = {*NAMES["g_ema"], *NAMES["g"], *PLAIN}
    return isinstance(part, Mapping) and any(
        name in known and (isinstance(value, Mapping) or _is_network(value))
        for name, value in _by_plain_name(part).items()
    )


def _plain(name: str) -> str:
    """A name as those of `NAMES` are written, such as "g_ema" for "G_ema_state_dict"."""
    return name.lower().removesuffix("_state_dict")


def _by_plain_name(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Items of a dict by their plain names; the first of each counts."""
    return {_plain(key): content[key] for key in reversed(list(content)) if isinstance(key, str)}


def _network(value: Any, size: int) -> Network:  # noqa: ANN401 - for which `_is_network` holds
    if isinstance(value, Record):
        return (tensorflow_network if value.name == NETWORK else module_network)(value, size=size)
    tensors = ((name, _tensor(inside)) for name, inside in value.items() if isinstance(name, str))
    return Network(gathered(((name, one) for name, one in tensors if one is not None), size=size), {})


def _part_of(network: Network, which: Which | None) -> Network:
    """The generator within a network, under names without the part's, such as "module." or "decoder.".

    Args:
        network: A generator, an encoder with one, or several networks.
        which: Which of the generators in it; None for any.

    Raises:
        UserError: It has only one.
    """
    parts = dict.fromkeys(match[1] for match in map(_BEGINNING.match, network.tensors) if match)
    named = {name: [p for p in parts if set(map(_plain, p.split("."))) & set(NAMES[name])] for name in NAMES}
    if which == "g" and not named["g"]:
        _only_one(which)
    unnamed = [part for part in parts if part not in (*named["g"], *named["g_ema"])]
    order = [*named["g"]] if which == "g" else [*named["g_ema"], *unnamed, *named["g"]]
    part = order[0] if order else _common_part(network.tensors)
    tensors = {name.removeprefix(part): t for name, t in network.tensors.items() if name.startswith(part)}
    mean = {AVERAGE: network.tensors[AVERAGE]} if AVERAGE in network.tensors else {}
    return Network(mean | tensors, network.settings, network.class_name)


def _common_part(names: Mapping[str, Tensor]) -> str:
    """What PyTorch's parallel modules put before every name, for a network of a layout that we do not know."""
    return "module." if names and all(name.startswith("module.") for name in names) else ""


def _only_one(which: Which) -> None:
    """Refuse a request for the raw generator of a file that has only one."""
    if which != "g_ema":
        raise UserError(f"has only one generator, so {which} cannot be chosen", arguments="which")


def _tensor(value: object) -> Tensor | None:
    """A tensor, or a NumPy array of numbers as one; None for anything else."""
    if not isinstance(value, Record):
        return value if isinstance(value, Tensor) else None
    try:
        return plain_tensor(value)
    except (ValueError, TypeError):
        return None


def _listed(names: Mapping[Any, Any]) -> str:
    """The first few names, for a message."""
    first = [str(name)[:40] for name in list(names)[:5]]
    return (", ".join(first) + (f" and {len(names) - 5} more" if len(names) > 5 else "")) or "nothing"
