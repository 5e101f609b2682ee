"""Checkpoints of other projects: the format is detected from the content, and the generator is extracted."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

from torch import Tensor

from latentloop.checkpoints.network_pickles import (
    NETWORK,
    Network,
    gathered,
    module_network,
    read_pickle,
    tensorflow_network,
)
from latentloop.checkpoints.pickle_machine import Record, RefusedError
from latentloop.checkpoints.torch_files import is_torch_file, read_torch_file
from latentloop.defaults import Which
from latentloop.errors import UserError, in_one_line

AVERAGE = "latent_avg"
"""Key of the mean latent in checkpoints of pSp, ReStyle and rosinality's projects."""

DAMAGE = (
    ValueError,
    LookupError,
    TypeError,
    OSError,
    EOFError,
    ArithmeticError,
    AttributeError,
    MemoryError,
    RuntimeError,
    TokenError,
    struct.error,
    zlib.error,
    BadZipFile,
)
"""Errors that reading a damaged file is known to raise."""

NAMES: dict[Which, tuple[str, ...]] = {
    "g_ema": ("G_ema", "g_ema", "generator_smooth"),
    "g": ("G", "g", "generator"),
}
"""Keys under which projects store the two generators."""

POSITIONS: dict[Which, int] = {"g_ema": 2, "g": 0}
"""Positions of the two in NVIDIA's TensorFlow triples of generator, discriminator and mean generator."""


def read_checkpoint(path: Path, *, which: Which = "g_ema") -> Network:
    """Read the generator of another project's file; nothing in the file is executed.

    Args:
        path: A pickle by NVIDIA's projects, or a file of `torch.save`.
        which: Which of the generators in it.

    Raises:
        UserError: The file is neither; damaged; has no such generator; or asks for more than data.
    """
    with reading(path):
        content = read_torch_file(path) if is_torch_file(path) else _read_pickle(path)
        return find_generator(content, which, size=path.stat().st_size)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of reading another project's file into one-line `UserError`s that begin with its path.

    Raises:
        UserError: The file asks for more than data, is damaged, or is not what it should be.
    """
    try:
        yield
    except RefusedError as error:
        raise UserError(f"{path}: refused, it asks for {in_one_line(error)}; a checkpoint needs only data") from error
    except UserError as error:
        raise error.within(path) from error
    except DAMAGE as error:
        raise UserError(f"{path}: damaged, truncated or no checkpoint ({in_one_line(error)})") from error


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
    if isinstance(content, tuple):
        return _of_triple(content, which, size)
    if not isinstance(content, Mapping):
        raise UserError(f"no checkpoint of a generator, but a {type(content).__name__}")
    if "state_dict" in content:
        _only_one(which)
        return _of_encoder(content, size)
    found = next((content[name] for name in NAMES[which] if content.get(name) is not None), None)
    if isinstance(found, Record):
        return module_network(found, size=size)
    tensors = dict(_tensors(content if found is None else found))
    if not tensors or set(tensors) == {AVERAGE}:
        raise UserError(f"has no generator {which}, but {_listed(content)}")
    if found is None:
        _only_one(which)
    return Network(gathered((tensors | _average(content)).items(), size=size), {})


def _only_one(which: Which) -> None:
    """Refuse a request for the raw generator of a file that has only one."""
    if which != "g_ema":
        raise UserError(f"has only one generator, so {which} cannot be chosen", arguments="which")


def _of_triple(content: tuple[Any, ...], which: Which, size: int) -> Network:
    """Extract the generator from TensorFlow's triple."""
    networks = [part for part in content if isinstance(part, Record) and part.name == NETWORK]
    if len(networks) != len(content) or len(networks) != 3:
        raise UserError(f"no generator, discriminator and mean generator, but {len(content)} other things")
    return tensorflow_network(networks[POSITIONS[which]], size=size)


def _of_encoder(content: Mapping[str, Any], size: int) -> Network:
    """Extract the generator that pSp, or an encoder like it, was trained for."""
    prefix = "decoder."
    state = _tensors(content["state_dict"])
    tensors = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    if not tensors:
        raise UserError(f"has no generator, but {_listed(state)}")
    return Network(gathered((tensors | _average(content)).items(), size=size), {})


def _average(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The mean latent, where it lies beside the generator."""
    found = content.get(AVERAGE)
    return {AVERAGE: found} if isinstance(found, Tensor) else {}


def _tensors(state: object) -> dict[str, Tensor]:
    if not isinstance(state, Mapping):
        raise ValueError(f"tensors in a {type(state).__name__}")
    return {name: value for name, value in state.items() if isinstance(name, str) and isinstance(value, Tensor)}


def _read_pickle(path: Path) -> object:
    with path.open("rb") as file:
        if file.read(1) != b"\x80":
            raise UserError("no checkpoint that we know: neither safetensors, nor a pickle, nor a file of torch.save")
        file.seek(0)
        return read_pickle(file)


def _listed(names: Mapping[str, Any]) -> str:
    """The first few names, for a message."""
    first = [str(name)[:40] for name in list(names)[:5]]
    return (", ".join(first) + (f" and {len(names) - 5} more" if len(names) > 5 else "")) or "nothing"
