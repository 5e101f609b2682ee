"""Generators' files: ours, and those of other projects."""

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
        """Build the generator; RuntimeError if the tensors do not fit."""
        ...


AVERAGED = 1 << 15
"""Samples of z from which the mean latent is estimated where a file lacks it."""
BATCH = 4096
"""Samples of z that are mapped at a time."""
MAX_LABELS = 1 << 23
"""Most numbers of the labels, one-hot, that are mapped at a time; where there are many classes, samples are fewer."""
MAX_CLASSES = 1 << 15
"""Most classes of a network whose mean latent is estimated; ImageNet-21k has 21,841."""


@dataclass(frozen=True)
class GeneratorFile:
    """The content of a generator's file, whatever its layout was."""

    kind: str
    """Kind of generator, a key of `BUILDERS`."""
    tensors: Tensors
    """Weights under our names, in float32; shared within `ReadOnce`, so never to be changed in place."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings that cannot be read off the tensors."""
    layout: str = "latentloop"
    """Title of the layout that the file had."""
    latent_avg_estimated: bool = False
    """True if the file lacked the mean latent, which was then estimated from samples."""
    origin: str = "tensors"
    """Path of the file, for messages."""
    sha256: str | None = None
    """SHA-256 of a file of ours; None for other projects'."""


def read_generator_file(file: WeightsFile, *, which: Which = "g_ema") -> GeneratorFile:
    """Read a generator of any supported layout, which is recognised by the file's content.

    Args:
        file: The file.
        which: Which of the generators in another project's file.

    Raises:
        UserError: There is no such file; it is damaged, of an unknown layout, or no generator; its numbers are not
            finite.
    """
    refuse_no_file(file.path, what="a generator")
    with ReadOnce():  # what tells whose file it is, and what takes its tensors
        return read_once(file.path, ("generator", which, file.sha256), lambda: _read(file, which))


def write_generator_file(path: Path, file: GeneratorFile, *, half: bool = False) -> None:
    """Write a generator as safetensors that `read_generator_file` reads; the file appears whole.

    Args:
        path: The file to write.
        file: The generator.
        half: Whether to store float16, except where that would change the latent space's fingerprint.

    Raises:
        UserError: The file cannot be written.
    """
    tensors = {n: (_compact(n, t) if half else t).cpu().contiguous() for n, t in file.tensors.items()}
    write_ours(path, file.kind, tensors, dict(sorted(file.settings.items())))


def build_generator(file: GeneratorFile, *, name: str) -> Generator:
    """Build the frozen generator of a file's tensors, in float32.

    Raises:
        UserError: They do not fit.
    """
    try:
        fingerprint = latent_fingerprint(file.tensors)
        return BUILDERS[file.kind](file.tensors, file.settings, name=name, fingerprint=fingerprint)
    except DAMAGE as error:
        raise UserError(f"{file.origin}: its tensors do not fit a {file.kind}: {in_one_line(error)}") from error


def is_generator(path: Path) -> bool:
    """Tell by its header whether a file is a generator that we wrote."""
    return kind_in(path) in BUILDERS


def latent_fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Compute the fingerprint of a latent space, 16 hexadecimal digits, from mapping network and mean latent."""
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
    if is_safetensors(path):  # that another program made of a checkpoint
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
    """With the mean latent of samples of z, and of labels where there are classes; always the same ones."""
    if (embed := file.tensors.get("mapping.embed.weight")) is not None and embed.shape[-1] > MAX_CLASSES:
        raise ValueError(f"{embed.shape[-1]} classes, as no network has")
    biases = [name for name in file.tensors if re.fullmatch(r"mapping\.fc\.\d+\.bias", name)]
    if not biases:
        raise ValueError("the mean latent of its layers is missing")
    total = torch.zeros_like(file.tensors[max(biases, key=lambda name: (len(name), name))]).double()
    unfinished = replace(file, tensors={**file.tensors, "latent_avg": total.float()})
    generator = build_generator(unfinished, name="without a mean latent")
    randomness = torch.Generator().manual_seed(0)
    batch, batches = BATCH, AVERAGED // BATCH
    while batch * generator.c_dim > MAX_LABELS:  # one-hot
        batch //= 2
    for _ in range(batches):
        total += generator.mapping(*random_inputs(generator, batch, randomness)).double().sum(dim=0)
    average = (total / (batches * batch)).float()
    return replace(file, tensors={**file.tensors, "latent_avg": average}, latent_avg_estimated=True)


def _compact(name: str, tensor: Tensor) -> Tensor:
    """In float16; what the fingerprint is made of only if nothing is lost, else codes would be another generator's."""
    half = tensor.half()
    exact = torch.equal(half.to(tensor.dtype), tensor)
    return tensor.float() if _makes_fingerprint(name) and not exact else half


def _makes_fingerprint(name: str) -> bool:
    return name.startswith("mapping.") or name == "latent_avg"


BUILDERS: dict[str, Builder] = {
    "mobilestylegan": mobilestylegan_file.from_tensors,
    "stylegan1": stylegan1_file.from_tensors,
    "stylegan2": stylegan2_file.from_tensors,
    "stylegan3": stylegan3_file.from_tensors,
}
"""Builders of the kinds of generator that our files name."""
