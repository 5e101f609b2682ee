"""Weights files as PyTorch tensors: safetensors with checked headers and checksums; see `weight_files`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import load, save
from torch import Tensor, nn

from latentloop import weight_files
from latentloop.files import replacing
from latentloop.weight_files import ASSETS as ASSETS
from latentloop.weight_files import KIND as KIND
from latentloop.weight_files import ReadOnce as ReadOnce
from latentloop.weight_files import WeightsFile as WeightsFile
from latentloop.weight_files import checksum as checksum
from latentloop.weight_files import is_safetensors as is_safetensors
from latentloop.weight_files import kind_in as kind_in
from latentloop.weight_files import read_once as read_once
from latentloop.weight_files import shipped as shipped

Weights = weight_files.Weights[Tensor]
"""Content of a weights file, in float32 whatever type the file stores."""
OurWeights = weight_files.OurWeights[Tensor]
"""Content of a weights file that latentloop wrote, in float32."""
Module = TypeVar("Module", bound=nn.Module)


def read_weights(file: WeightsFile) -> Weights:
    """Read all tensors of a file as float32.

    Raises:
        UserError: The file is missing, is not safetensors, or its checksum is not the expected one.
    """
    return weight_files.read_checked(file, _read, purpose="weights")


def read_ours(file: WeightsFile, *kinds: str, what: str, advice: str) -> OurWeights:
    """Read a weights file that latentloop wrote.

    Args:
        file: File to read.
        kinds: Accepted kinds of content.
        what: Wanted content, for error messages: "an embedding network".
        advice: Advice about files of another kind, for error messages.

    Raises:
        UserError: The file is missing, is not safetensors, has another checksum or kind, or its settings are damaged.
    """
    return weight_files.as_ours(file, read_weights(file), *kinds, what=what, advice=advice)


def write_ours(path: Path, kind: str, tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> None:
    """Write a weights file that `read_ours` reads, atomically.

    Args:
        path: File to write.
        kind: Kind of content, a single word.
        tensors: Contiguous CPU tensors, in the type to store.
        settings: Settings that do not follow from the tensors' shapes, as JSON values.

    Raises:
        UserError: The file cannot be written.
    """
    about = f"{kind} {json.dumps(settings)}" if settings else kind
    with replacing(path) as part:
        part.write_bytes(save(dict(tensors), {KIND: about}))


def with_weights(module: Module, tensors: Mapping[str, Tensor]) -> Module:
    """Assign tensors to a module that was built on the meta device; return it frozen and in evaluation mode.

    The module shares memory with the tensors: copy it before training it.
    """
    module.load_state_dict(dict(tensors), assign=True)
    return module.requires_grad_(False).eval()


def _read(file: WeightsFile) -> Weights:
    return weight_files.read_with(file, lambda content: {name: one.float() for name, one in load(content).items()})
