"""Reading and writing of generator files: ours, and those of other projects."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from latentloop.checkpoints.finding import find_generator
from latentloop.checkpoints.reading import DAMAGE, read_checkpoint, reading
from latentloop.defaults import Which
from latentloop.errors import UserError, in_one_line
from latentloop.files import refuse_no_file
from latentloop.generators import mobilestylegan_file, stylegan1_file, stylegan2_file, stylegan3_file
from latentloop.generators.layouts import find_layout
from latentloop.generators.protocol import Generator
from latentloop.generators.sampling import random_inputs
from latentloop.weights import (
    KIND,
    ReadOnce,
    WeightsFile,
    is_safetensors,
    kind_in,
    read_once,
    read_ours,
    read_weights,
    write_ours,
)

Tensors = Mapping[str, Tensor]
Settings = Mapping[str, Any]


class Builder(Protocol):
    """A function that builds a frozen generator from tensors and settings."""

    def __call__(self, tensors: Tensors, settings: Settings, /, *, name: str, fingerprint: str) -> Generator:
        """Build the generator; raise a RuntimeError if the tensors do not fit."""
        ...


AVERAGED = 1 << 15
"""Samples of z from which `latent_avg` is estimated if the file lacks it."""
BATCH = 4096
"""Samples of z that are mapped at a time."""
MAX_LABELS = 1 << 23
"""Largest size of a batch of one-hot labels, in numbers; with many classes the batch shrinks."""
MAX_CLASSES = 1 << 15
"""Largest number of classes for which `latent_avg` is estimated; ImageNet-21k has 21,841."""


@dataclass(frozen=True)
class GeneratorFile:
    """The content of a generator file, independent of its layout."""

    kind: str
    """Architecture of the generator, a key of `BUILDERS`."""
    tensors: Tensors
    """Weights under our names, in float32. Shared within `ReadOnce`: never change them in place."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings that do not follow from the tensors' shapes."""
    layout: str = "latentloop"
    """Title of the file's layout."""
    latent_avg_estimated: bool = False
    """True if the file lacked the mean latent, which was then estimated from samples."""
    origin: str = "tensors"
    """Path of the file, for error messages."""
    sha256: str | None = None
    """SHA-256 of a file that latentloop wrote; None for other projects' files."""


def read_generator_file(file: WeightsFile, *, which: Which = "g_ema") -> GeneratorFile:
    """Read a generator file of any supported layout; the layout is detected from the content.

    Args:
        file: The file.
        which: Which of the generators in another project's file.

    Raises:
        UserError: The file is missing, damaged, of an unknown layout or not a generator, or has values that are not
            finite.
    """
    refuse_no_file(file.path, what="a generator")
    with ReadOnce():  # detecting the layout and loading the tensors would otherwise each read the file
        return read_once(file.path, ("generator", which, file.sha256), lambda: _read(file, which))


def write_generator_file(path: Path, file: GeneratorFile, *, half: bool = False) -> None:
    """Write a generator as a safetensors file that `read_generator_file` reads, atomically.

    Args:
        path: The file to write.
        file: The generator.
        half: Store float16, except for tensors where rounding would change the fingerprint of the latent space.

    Raises:
        UserError: The file cannot be written.
    """
    tensors = {n: (_compact(n, t) if half else t).cpu().contiguous() for n, t in file.tensors.items()}
    write_ours(path, file.kind, tensors, dict(sorted(file.settings.items())))


def build_generator(file: GeneratorFile, *, name: str) -> Generator:
    """Build the frozen float32 generator of a file's tensors.

    Raises:
        UserError: The tensors do not fit the architecture.
    """
    try:
        fingerprint = latent_fingerprint(file.tensors)
        return BUILDERS[file.kind](file.tensors, file.settings, name=name, fingerprint=fingerprint)
    except DAMAGE as error:
        raise UserError(f"{file.origin}: its tensors do not fit a {file.kind}: {in_one_line(error)}") from error


def is_generator(path: Path) -> bool:
    """Check by its header whether a file is a generator that latentloop wrote."""
    return kind_in(path) in BUILDERS


def latent_fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Compute the fingerprint of a latent space, 16 hexadecimal digits, from mapping network and `latent_avg`."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        if _makes_fingerprint(name):
            digest.update(f"{name} {tuple(tensors[name].shape)}".encode())
            digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()[:16]


def _read(file: WeightsFile, which: Which) -> GeneratorFile:
    ours = file.sha256 is not None or (is_safetensors(file.path) and KIND in read_weights(file).metadata)
    if ours and which != "g_ema":
        raise UserError(f"{file.path}: has one generator alone, no {which}", arguments="which")
    content = _read_ours(file) if ours else _read_theirs(file.path, which)
    for name, tensor in content.tensors.items():
        if not tensor.isfinite().all():
            raise UserError(f"{file.path}: {name} has numbers that are not finite")
    return content


def _read_ours(file: WeightsFile) -> GeneratorFile:
    ours = read_ours(file, *BUILDERS, what="a generator", advice=f"known kinds: {', '.join(BUILDERS)}")
    return GeneratorFile(ours.kind, ours.tensors, ours.settings, origin=str(file.path), sha256=ours.sha256)


def _read_theirs(path: Path, which: Which) -> GeneratorFile:
    if is_safetensors(path):  # a checkpoint that another program converted
        with reading(path):
            network = find_generator(read_weights(WeightsFile(path)).tensors, which, size=path.stat().st_size)
    else:
        network = read_checkpoint(path, which=which)
    try:
        layout = find_layout(network)
        tensors, settings = layout.convert(network)
        tensors = {name: tensor.float().contiguous() for name, tensor in tensors.items()}
        file = GeneratorFile(layout.kind, tensors, settings, layout.title, origin=str(path))
        return file if "latent_avg" in tensors else _with_mean(file)
    except UserError as error:
        raise UserError(f"{path}: {in_one_line(error)}") from error
    except DAMAGE as error:
        raise UserError(f"{path}: a {layout.title}, but {in_one_line(error)}") from error


@torch.no_grad()
def _with_mean(file: GeneratorFile) -> GeneratorFile:
    """The content with `latent_avg` estimated from a fixed set of random z, and of labels if there are classes."""
    if (embed := file.tensors.get("mapping.embed.weight")) is not None and embed.shape[-1] > MAX_CLASSES:
        raise ValueError(f"at most {MAX_CLASSES} classes are supported, got {embed.shape[-1]}")
    biases = [name for name in file.tensors if re.fullmatch(r"mapping\.fc\.\d+\.bias", name)]
    if not biases:
        raise ValueError("latent_avg is missing and cannot be estimated for a mapping network with a style per layer")
    # The last layer's bias has the length of w. Longer names have higher numbers: fc.10 comes after fc.9.
    total = torch.zeros_like(file.tensors[max(biases, key=lambda name: (len(name), name))]).double()
    unfinished = replace(file, tensors={**file.tensors, "latent_avg": total.float()})
    generator = build_generator(unfinished, name="without a mean latent")
    randomness = torch.Generator().manual_seed(0)
    batch, batches = BATCH, AVERAGED // BATCH
    while batch * generator.c_dim > MAX_LABELS:  # labels are one-hot, (batch, c_dim)
        batch //= 2
    for _ in range(batches):
        total += generator.mapping(*random_inputs(generator, batch, randomness)).double().sum(dim=0)
    average = (total / (batches * batch)).float()
    return replace(file, tensors={**file.tensors, "latent_avg": average}, latent_avg_estimated=True)


def _compact(name: str, tensor: Tensor) -> Tensor:
    """A tensor in float16; one that enters the fingerprint only if the rounding is exact.

    Otherwise the converted generator would count as one of another latent space, and refuse the codes of the original.
    """
    half = tensor.half()
    exact = torch.equal(half.to(tensor.dtype), tensor)
    return tensor.float() if _makes_fingerprint(name) and not exact else half


def _makes_fingerprint(name: str) -> bool:
    # Mapping network and mean: what makes a code mean the same image; synthesis networks of one space may differ.
    return name.startswith("mapping.") or name == "latent_avg"


BUILDERS: dict[str, Builder] = {
    "mobilestylegan": mobilestylegan_file.from_tensors,
    "stylegan1": stylegan1_file.from_tensors,
    "stylegan2": stylegan2_file.from_tensors,
    "stylegan3": stylegan3_file.from_tensors,
}
"""Function that builds each kind of generator, by the kind that our files name."""
