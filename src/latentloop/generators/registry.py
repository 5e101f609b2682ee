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
from latentloop.hub import GENERATORS, local_name
from latentloop.options import check_path
from latentloop.weights import WeightsFile, checksum, shipped


@dataclass(frozen=True)
class GeneratorInfo:
    """Facts about a bundled generator, as `list_generators` returns them."""

    name: str
    """Name that `load_generator` takes."""
    resolution: int
    """Side of its images, in pixels."""
    latent_space: str = field(repr=False)
    """Fingerprint of its latent space: generators that share it draw the same subject from the same code."""
    about: str
    """Subject of the images, and the architecture."""
    licence: str = field(repr=False)
    """Licence of the weights, which differs from that of the code."""


@dataclass(frozen=True)
class ShippedGenerator:
    """A bundled generator and the file of its weights."""

    info: GeneratorInfo
    """Facts that are available without loading the generator."""
    file: WeightsFile
    """File of the generator's own weights."""
    trunk: str | None = None
    """Name of the generator that provides the tensors missing from `file`."""


_FFHQ, _TERMS = "cac4c956bbb78d3d", "Apache-2.0 as published, for non-commercial research: distilled from NVIDIA's FFHQ"

# `renderers_of` takes the first of a resolution. The published network is last: its trunk completes the others, whose
# files hold only what differs.
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
"""All bundled generators by name; `tests/generators/test_registry.py` checks the facts against the files."""


def list_generators() -> list[GeneratorInfo]:
    """List the generators that are bundled with the package, without loading any."""
    return [one.info for one in SHIPPED.values()]


def bundled_licence(fingerprint: str) -> str | None:
    """Return the licence of the bundled generators of a latent space; None if no bundled generator has that space.

    Args:
        fingerprint: Fingerprint of the latent space, which renamed, converted and distilled generators keep.
    """
    return next((info.licence for info in list_generators() if info.latent_space == fingerprint), None)


def draws_faces(generator: Generator) -> bool:
    """Check whether a generator is known to draw faces, by its latent space: all bundled ones do."""
    return bundled_licence(generator.fingerprint) is not None


def load_generator(
    name_or_path: str | Path = GENERATOR, *, device: torch.device | str = "cpu", which: Which = "g_ema"
) -> Generator:
    """Load a frozen generator in float32.

    Args:
        name_or_path: Name of a bundled generator, or a file: one of ours, or a StyleGAN 1, 2 or 3 in its project's
            original format; also on the Hugging Face Hub, as `hf://OWNER/REPO[/FILE][@REVISION]`.
        device: Device of the weights.
        which: Which of the generators in another project's file to load.

    Raises:
        UserError: There is no such name, file or device, or the file is damaged or not a supported generator.
        ValueError: `which` is unknown, or an argument has the wrong type.
    """
    if which not in get_args(Which):
        raise ValueError(f"which must be one of {', '.join(get_args(Which))}, got {which}")
    check_path(name_or_path, name="generator")
    where = as_device(device)
    name = local_name(name_or_path, *GENERATORS)
    file = find_generator_file(name, which=which)
    generator = build_generator(file, name=name if name in SHIPPED else Path(name).stem)
    if isinstance(generator, nn.Module):
        generator.to(where)
    return generator


def find_generator_file(name_or_path: str | Path, *, which: Which = "g_ema") -> GeneratorFile:
    """Read the file of a generator by name or path, completed by the tensors it shares with another bundled one.

    Args:
        name_or_path: Name or file, as in `load_generator`.
        which: Which of the generators in another project's file to read.

    Raises:
        UserError: As in `load_generator`.
    """
    name = local_name(name_or_path, *GENERATORS)
    weights = _file_of(name)
    if name not in SHIPPED and not weights.path.exists():
        raise UserError(f"{name}: neither a file nor one of the bundled generators: {', '.join(SHIPPED)}")
    file = read_generator_file(weights, which=which)
    trunk = _trunk_of(file.sha256)
    return replace(file, tensors=on_trunk(file.tensors, find_generator_file(trunk).tensors)) if trunk else file


def weights_checksum(name_or_path: str | Path, *, which: Which = "g_ema") -> str:
    """Compute a checksum of a generator's weights: the file's SHA-256, combined with the trunk's if there is one.

    Args:
        name_or_path: Name or file, as in `load_generator`.
        which: Which of the generators in the file; they get different checksums.
    """
    sha256 = checksum(_file_of(local_name(name_or_path, *GENERATORS)))
    if which != "g_ema":
        return hashlib.sha256(f"{sha256} {which}".encode()).hexdigest()  # one file, two generators
    trunk = _trunk_of(sha256)
    return hashlib.sha256(f"{sha256} {weights_checksum(trunk)}".encode()).hexdigest() if trunk else sha256


def renderers_of(generator: Generator) -> dict[int, str]:
    """List the generators that can draw another one's codes: names by resolution, the generator itself included.

    Of several bundled generators of one resolution, the first in `list_generators` is named.
    """
    shared = [info for info in list_generators() if info.latent_space == generator.fingerprint]
    return {info.resolution: info.name for info in reversed(shared)} | {generator.resolution: generator.name}


def load_renderer(
    generator: Generator, resolution: int | None = None, *, device: torch.device | str | None = None
) -> Generator:
    """Load a generator that can draw another one's codes: the generator itself, or a bundled one of its latent space.

    Only the weights of the result are loaded.

    Args:
        generator: Generator of the codes.
        resolution: Side of the image, in pixels; None for the largest available.
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
    """Write a generator as a float16 safetensors file that `load_generator` reads, atomically.

    Raises:
        UserError: The file cannot be written.
    """
    file = GeneratorFile("mobilestylegan", to_tensors(generator), settings_of(generator))
    write_generator_file(path, file, half=True)


def _file_of(name: str) -> WeightsFile:
    return SHIPPED[name].file if name in SHIPPED else WeightsFile(Path(name))


def _trunk_of(sha256: str | None) -> str | None:
    """Name of the generator that completes a file; copies of bundled files are recognised by their checksum."""
    return next((one.trunk for one in SHIPPED.values() if one.file.sha256 == sha256), None)
