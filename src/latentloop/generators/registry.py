"""Generators by name or path."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from latentloop.defaults import GENERATOR
from latentloop.errors import UserError
from latentloop.files import replacing, sha256_of
from latentloop.generators.mobilestylegan import MobileStyleGAN
from latentloop.generators.mobilestylegan_file import from_tensors, on_trunk, to_tensors
from latentloop.generators.protocol import Generator
from latentloop.weights import WeightsFile, read_weights, shipped

KIND = "latentloop"
"""The one metadata entry of our files; its value is the kind. (Of several, safetensors shuffles the order.)"""


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


def load_generator(name_or_path: str | Path = GENERATOR, *, device: torch.device | str = "cpu") -> Generator:
    """Load a frozen generator in float32.

    Args:
        name_or_path: A name of `SHIPPED`, or a safetensors file that latentloop wrote.
        device: Where its weights go.

    Raises:
        UserError: No such name or file; a wrong or damaged file (its checksum is given); an unknown kind.
    """
    name = str(name_or_path)
    file = _file_of(name)
    if name not in SHIPPED and not file.path.exists():
        raise UserError(f"{name}: neither a file nor one of the generators we ship: {', '.join(SHIPPED)}")
    weights = read_weights(file)
    kind = weights.metadata.get(KIND, "none")
    if kind not in BUILDERS:
        known = word if (word := kind.partition(" ")[0]).isalpha() else "unknown"
        raise UserError(f"{name}: not a generator (kind: {known}); known kinds: {', '.join(BUILDERS)}")
    trunk = SHIPPED[name].trunk if name in SHIPPED else None
    tensors = on_trunk(weights.tensors, read_weights(_file_of(trunk)).tensors) if trunk else weights.tensors
    try:
        return BUILDERS[kind](tensors, name=file.path.stem, fingerprint=latent_fingerprint(tensors)).to(device)
    except RuntimeError as error:
        raise UserError(f"{name}: its tensors do not fit a {kind}: {str(error).splitlines()[-1].strip()}") from error


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
    tensors = {name: _compact(name, tensor.cpu()).contiguous() for name, tensor in to_tensors(generator).items()}
    with replacing(path) as part:
        part.write_bytes(save(tensors, {KIND: "mobilestylegan"}))


def latent_fingerprint(tensors: dict[str, Tensor]) -> str:
    """Fingerprint of a latent space: of the mapping network and the mean latent, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        if _makes_fingerprint(name):
            digest.update(f"{name} {tuple(tensors[name].shape)}".encode())
            digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()[:16]


def _compact(name: str, tensor: Tensor) -> Tensor:
    """In float16; what the fingerprint is made of only if nothing is lost, else codes would be another generator's."""
    half = tensor.half()
    exact = torch.equal(half.to(tensor.dtype), tensor)
    return tensor.float() if _makes_fingerprint(name) and not exact else half


def _makes_fingerprint(name: str) -> bool:
    return name.startswith("mapping.") or name == "latent_avg"


def _file_of(name: str) -> WeightsFile:
    return SHIPPED[name].file if name in SHIPPED else WeightsFile(Path(name))


BUILDERS = {"mobilestylegan": from_tensors}
