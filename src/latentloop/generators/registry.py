"""Generators by name or path."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from latentloop.defaults import GENERATOR, Which
from latentloop.errors import UserError
from latentloop.files import sha256_of
from latentloop.generators.generator_file import (
    GeneratorFile,
    build_generator,
    read_generator_file,
    write_generator_file,
)
from latentloop.generators.mobilestylegan import MobileStyleGAN
from latentloop.generators.mobilestylegan_file import on_trunk, to_tensors
from latentloop.generators.protocol import Generator
from latentloop.weights import WeightsFile, shipped


@dataclass(frozen=True)
class ShippedGenerator:
    """Where a generator of ours lies."""

    file: WeightsFile
    trunk: str | None = None
    """The generator that it shares all tensors with that its own file lacks."""


SHIPPED = {
    "mobile-ffhq-256": ShippedGenerator(
        shipped("mobile-ffhq-256.safetensors", "ac5957b524177f000b6a1525962b11e742081b1196477e2d0f23f0f68e552065"),
        trunk="mobile-ffhq-1024",
    ),
    "mobile-ffhq-1024": ShippedGenerator(
        shipped("mobile-ffhq-1024.safetensors", "8a58a23a66507b79d598f6c1692cf7bf82b2fe822a775f3ad2ba99960ac7a496"),
    ),
}


def load_generator(
    name_or_path: str | Path = GENERATOR, *, device: torch.device | str = "cpu", which: Which = "g_ema"
) -> Generator:
    """Load a frozen generator in float32.

    Args:
        name_or_path: A name of `SHIPPED`, or a file: ours, or a StyleGAN's as its project wrote it.
        device: Where its weights go.
        which: Of the generators in another project's file.

    Raises:
        UserError: No such name or file; a wrong or damaged file; one that has no generator of a kind that we know.
    """
    generator = build_generator(
        find_generator_file(name_or_path, which=which), name=_file_of(str(name_or_path)).path.stem
    )
    if isinstance(generator, nn.Module):
        generator.to(device)
    return generator


def find_generator_file(name_or_path: str | Path, *, which: Which = "g_ema") -> GeneratorFile:
    """What the file of a generator holds; see `load_generator`."""
    name = str(name_or_path)
    weights = _file_of(name)
    if name not in SHIPPED and not weights.path.exists():
        raise UserError(f"{name}: neither a file nor one of the generators we ship: {', '.join(SHIPPED)}")
    file = read_generator_file(weights, which=which)
    trunk = SHIPPED[name].trunk if name in SHIPPED else None
    return replace(file, tensors=on_trunk(file.tensors, find_generator_file(trunk).tensors)) if trunk else file


def weights_checksum(name_or_path: str | Path) -> str:
    """SHA-256 of a generator's weights file; of both files' checksums if it shares the rest of another one's."""
    name = str(name_or_path)
    file, trunk = _file_of(name), SHIPPED[name].trunk if name in SHIPPED else None
    own = file.sha256 or sha256_of(file.path)
    return hashlib.sha256(f"{own} {weights_checksum(trunk)}".encode()).hexdigest() if trunk else own


def load_renderer(
    generator: Generator, resolution: int | None = None, *, device: torch.device | str = "cpu"
) -> Generator:
    """Find a generator that draws the codes of another: itself, or one that we ship of the same latent space.

    Args:
        generator: Whose codes.
        resolution: Pixels that it shall draw; None for as many as there are.
        device: Where its weights go.

    Raises:
        UserError: There is none of that resolution.
    """
    family = {generator.resolution: generator}
    for name in SHIPPED:
        if name != generator.name:
            sibling = load_generator(name, device=device)
            if sibling.fingerprint == generator.fingerprint:
                family.setdefault(sibling.resolution, sibling)
    wanted = max(family) if resolution is None else resolution
    if wanted not in family:
        sizes = ", ".join(map(str, sorted(family)))
        raise UserError(f"--render {wanted}: no generator draws the codes of {generator.name} so; there are: {sizes}")
    return family[wanted]


def save_generator(path: Path, generator: MobileStyleGAN) -> None:
    """Write a generator as float16 safetensors that `load_generator` reads; the file appears whole.

    Raises:
        UserError: The file cannot be written.
    """
    write_generator_file(path, GeneratorFile("mobilestylegan", to_tensors(generator)), half=True)


def _file_of(name: str) -> WeightsFile:
    return SHIPPED[name].file if name in SHIPPED else WeightsFile(Path(name))
