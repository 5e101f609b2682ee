"""Finding and loading generators by name or path."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import torch
from torch import nn

from latentloop.defaults import GENERATOR, Which
from latentloop.devices import as_device
from latentloop.errors import UserError
from latentloop.generators.generator_file import (
    GeneratorFile,
    build_generator,
    read_generator_file,
    write_generator_file,
)
from latentloop.generators.mobilestylegan import MobileStyleGAN
from latentloop.generators.mobilestylegan_file import on_trunk, settings_of, to_tensors
from latentloop.generators.protocol import Generator
from latentloop.options import check_path
from latentloop.weights import WeightsFile, checksum, shipped


@dataclass(frozen=True)
class GeneratorInfo:
    """A generator that ships with the package, as `list_generators` shows it; printed, it is what one chooses by."""

    name: str
    """Name that `load_generator` takes."""
    resolution: int
    """Pixels of a side of its images."""
    latent_space: str = field(repr=False)
    """Fingerprint of its latent space: generators that share it draw the same subject from the same code."""
    about: str
    """Subject of the images, and the architecture."""
    licence: str = field(repr=False)
    """Terms of the weights, which are not those of the code."""


@dataclass(frozen=True)
class ShippedGenerator:
    """A shipped generator and where its weights lie."""

    info: GeneratorInfo
    """Facts that are known without loading the generator."""
    file: WeightsFile
    """File of the weights that only this generator has."""
    trunk: str | None = None
    """Name of the generator that provides the tensors missing from `file`."""


_FFHQ, _TERMS = "cac4c956bbb78d3d", "Apache-2.0 as published, for non-commercial research: distilled from NVIDIA's FFHQ"

SHIPPED = {
    "mobile-ffhq-256": ShippedGenerator(
        GeneratorInfo("mobile-ffhq-256", 256, _FFHQ, "faces (FFHQ), MobileStyleGAN; quick", _TERMS),
        shipped("mobile-ffhq-256.safetensors", "ac5957b524177f000b6a1525962b11e742081b1196477e2d0f23f0f68e552065"),
        trunk="mobile-ffhq-1024-v1",
    ),
    "mobile-ffhq-1024": ShippedGenerator(
        GeneratorInfo("mobile-ffhq-1024", 1024, _FFHQ, "faces (FFHQ), MobileStyleGAN", _TERMS),
        shipped("mobile-ffhq-1024-v2.safetensors", "50deeb666c8e0981222f0e23d46cc2854fe64af593fb76df879a542a27bf61fe"),
        trunk="mobile-ffhq-1024-v1",
    ),
    "mobile-ffhq-1024-v1": ShippedGenerator(
        GeneratorInfo("mobile-ffhq-1024-v1", 1024, _FFHQ, "the same as published, with a periodic pattern", _TERMS),
        shipped("mobile-ffhq-1024.safetensors", "8a58a23a66507b79d598f6c1692cf7bf82b2fe822a775f3ad2ba99960ac7a496"),
    ),
}
"""All generators that ship, by name. `tests/generators/test_registry.py` holds the facts against the files."""


def list_generators() -> list[GeneratorInfo]:
    """List the generators that ship with the package, without loading any."""
    return [one.info for one in SHIPPED.values()]


def draws_faces(generator: Generator) -> bool:
    """Whether a generator is known to draw faces: it has the latent space of a bundled one."""
    return generator.fingerprint in {info.latent_space for info in list_generators()}


def load_generator(
    name_or_path: str | Path = GENERATOR, *, device: torch.device | str = "cpu", which: Which = "g_ema"
) -> Generator:
    """Load a frozen generator in float32.

    Args:
        name_or_path: A name of `SHIPPED`, or a file: ours, or a StyleGAN's as its project wrote it.
        device: Device of the weights.
        which: Which of the generators in another project's file.

    Raises:
        UserError: No such name or file; a wrong or damaged file; one that has no generator of a kind that we know; no
            such device.
        ValueError: `which` is neither of them, or an argument of another type.
    """
    if which not in get_args(Which):
        raise ValueError(f"which must be one of {', '.join(get_args(Which))}, got {which}")
    check_path(name_or_path, name="generator")
    where = as_device(device)
    file = find_generator_file(name_or_path, which=which)
    name = str(name_or_path)
    generator = build_generator(file, name=name if name in SHIPPED else Path(name).stem)
    if isinstance(generator, nn.Module):
        generator.to(where)
    return generator


def find_generator_file(name_or_path: str | Path, *, which: Which = "g_ema") -> GeneratorFile:
    """Read what the file of a generator holds, completed by the trunk that it shares with another one.

    Args:
        name_or_path: As of `load_generator`.
        which: Which of the generators in another project's file.

    Raises:
        UserError: As `load_generator`.
    """
    name = str(name_or_path)
    weights = _file_of(name)
    if name not in SHIPPED and not weights.path.exists():
        raise UserError(f"{name}: neither a file nor one of the generators we ship: {', '.join(SHIPPED)}")
    file = read_generator_file(weights, which=which)
    trunk = _trunk_of(file.sha256)
    return replace(file, tensors=on_trunk(file.tensors, find_generator_file(trunk).tensors)) if trunk else file


def weights_checksum(name_or_path: str | Path, *, which: Which = "g_ema") -> str:
    """Compute the SHA-256 of a generator's weights file; of two checksums if another file completes it.

    Args:
        name_or_path: As of `load_generator`.
        which: Which of the generators in the file: the two have different checksums.
    """
    sha256 = checksum(_file_of(str(name_or_path)))
    if which != "g_ema":
        return hashlib.sha256(f"{sha256} {which}".encode()).hexdigest()
    trunk = _trunk_of(sha256)
    return hashlib.sha256(f"{sha256} {weights_checksum(trunk)}".encode()).hexdigest() if trunk else sha256


def renderers_of(generator: Generator) -> dict[int, str]:
    """Find the generators that draw the codes of another, itself and those that we ship: their names by resolution.

    Of those that we ship of one resolution, it is the first in `list_generators`.
    """
    shared = [info for info in list_generators() if info.latent_space == generator.fingerprint]
    return {info.resolution: info.name for info in reversed(shared)} | {generator.resolution: generator.name}


def load_renderer(
    generator: Generator, resolution: int | None = None, *, device: torch.device | str | None = None
) -> Generator:
    """Find a generator that draws the codes of another: itself, or one that we ship of the same latent space.

    No other weights are loaded than those of the result, the one that `renderers_of` names.

    Args:
        generator: The generator of the codes.
        resolution: Pixels of a side of the image; None for the largest available.
        device: Device of the weights; None for the device of `generator`.

    Raises:
        UserError: No generator of that resolution shares the latent space.
    """
    family = renderers_of(generator)
    wanted = max(family) if resolution is None else resolution
    if wanted not in family:
        sizes = ", ".join(map(str, sorted(family)))
        raise UserError(
            f"no generator of {wanted} pixels shares the latent space of {generator.name}; available: {sizes}",
            arguments="render",
        )
    if wanted == generator.resolution:
        return generator
    return load_generator(family[wanted], device=generator.device if device is None else device)


def save_generator(path: Path, generator: MobileStyleGAN) -> None:
    """Write a generator as float16 safetensors that `load_generator` reads; the file appears whole.

    Raises:
        UserError: The file cannot be written.
    """
    file = GeneratorFile("mobilestylegan", to_tensors(generator), settings_of(generator))
    write_generator_file(path, file, half=True)


def _file_of(name: str) -> WeightsFile:
    return SHIPPED[name].file if name in SHIPPED else WeightsFile(Path(name))


def _trunk_of(sha256: str | None) -> str | None:
    """Name of the generator that completes a file; a copy of ours is known by its checksum, wherever it lies."""
    return next((one.trunk for one in SHIPPED.values() if one.file.sha256 == sha256), None)
