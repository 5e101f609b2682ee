"""Finding the generator among all that a checkpoint holds, whichever names its project gave it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from latentloop.checkpoints.network_pickles import (
    NETWORK,
    Network,
    gathered,
    is_module,
    module_network,
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
    "g_ema": ("G_ema", "g_ema", "generator_smooth", "generator_ema", "netG_ema", "params_ema", "ema", "Gs"),
    "g": ("G", "g", "generator", "netG", "params"),
}
"""Names under which projects store the two generators: keys of a dict, or parts of the names of tensors."""
OPPONENTS = ("D", "d", "discriminator", "netD")
"""Keys of the network that a generator is trained against, by which a training's checkpoint is recognised."""
PLAIN = ("state_dict", "model_state_dict", "model", "module", "weights", "GAN")
"""Keys under which projects store their only network, or all of them together."""
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
    network = _of_dict(content, which, size, depth=DEPTH)
    if network is None:
        raise UserError(f"has no generator {which}, but {_listed(content)}")
    return network


def _of_dict(content: Mapping[Any, Any], which: Which, size: int, *, depth: int) -> Network | None:
    """The generator of a dict, with the mean latent that may lie beside it; None if there is none."""
    found = _under_its_name(content, which, size)
    for inside in (content.get(key) for key in PLAIN) if depth and found is None else ():
        if isinstance(inside, Mapping):
            found = _of_dict(inside, which, size, depth=depth - 1)
        elif _is_network(inside):
            found = _part_of(_network(inside, size), which)
        if found is not None:
            break
    tensors = _tensors(content)
    if found is None and tensors.keys() - {AVERAGE}:
        found = _part_of(_network(tensors, size), which)
    if found is None and which == "g_ema":
        found = _the_raw_one(content, size)
    mean = {AVERAGE: tensors[AVERAGE]} if AVERAGE in tensors else {}
    if found is None or not mean:
        return found
    return Network(gathered((found.tensors | mean).items(), size=size), found.settings, found.class_name)


def _the_raw_one(content: Mapping[Any, Any], size: int) -> Network | None:
    """The raw generator in place of the mean one, unless the file is of a training, which should have had both."""
    raw = _under_its_name(content, "g", size)
    if raw is not None and any(name in content for name in (*NAMES["g_ema"], *OPPONENTS)):
        raise UserError(f"has no generator g_ema, but {_listed(content)}; g can be taken instead", arguments="which")
    return raw


def _under_its_name(content: Mapping[Any, Any], which: Which, size: int) -> Network | None:
    """The network under the first of the keys for a generator that has one."""
    for name in NAMES[which]:
        value = content.get(name)
        inside = next((value[key] for key in PLAIN if key in value), value) if isinstance(value, Mapping) else value
        if _is_network(inside):
            return _part_of(_network(inside, size), None)
    return None


def _of_several(content: Sequence[Any], which: Which, size: int) -> Network:
    """The last generator of several networks, or the first, as in NVIDIA's generator, discriminator, mean generator."""
    networks = [part for part in content if _is_network(part)]
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
    return isinstance(value, Mapping) and any(isinstance(tensor, Tensor) for tensor in value.values())


def _network(value: Any, size: int) -> Network:  # noqa: ANN401 - for which `_is_network` holds
    if isinstance(value, Record):
        return (tensorflow_network if value.name == NETWORK else module_network)(value, size=size)
    return Network(gathered(_tensors(value).items(), size=size), {})


def _part_of(network: Network, which: Which | None) -> Network:
    """The generator within a network, under names without the part's, such as "module." or "decoder.".

    Args:
        network: A generator, an encoder with one, or several networks.
        which: Which of the generators in it; None for any.

    Raises:
        UserError: It has only one.
    """
    parts = dict.fromkeys(match[1] for match in map(_BEGINNING.match, network.tensors) if match)
    named = {name: [p for p in parts if set(p.split(".")) & set(NAMES[name])] for name in NAMES}
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


def _tensors(state: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if isinstance(name, str) and isinstance(value, Tensor)}


def _listed(names: Mapping[Any, Any]) -> str:
    """The first few names, for a message."""
    first = [str(name)[:40] for name in list(names)[:5]]
    return (", ".join(first) + (f" and {len(names) - 5} more" if len(names) > 5 else "")) or "nothing"
