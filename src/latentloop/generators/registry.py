"""Generators by name or path."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from latentloop.defaults import GENERATOR
from latentloop.errors import UserError
from latentloop.files import sha256_of
from latentloop.generators.mobilestylegan import MobileStyleGAN
from latentloop.generators.protocol import Generator
from latentloop.weights import WeightsFile, read_weights, shipped, with_weights

KIND = "latentloop"
"""The one metadata entry of our files; its value is the kind. (Of several, safetensors shuffles the order.)"""
SHIPPED = {
    GENERATOR: shipped(
        "mobile-ffhq-1024.safetensors", "8a58a23a66507b79d598f6c1692cf7bf82b2fe822a775f3ad2ba99960ac7a496"
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
    file = SHIPPED.get(name) or WeightsFile(Path(name))
    if name not in SHIPPED and not file.path.exists():
        raise UserError(f"{name}: neither a file nor one of the generators we ship: {', '.join(SHIPPED)}")
    weights = read_weights(file)
    kind = weights.metadata.get(KIND, "none")
    if kind not in BUILDERS:
        raise UserError(f"{name}: not a generator (kind: {kind}); known kinds: {', '.join(BUILDERS)}")
    try:
        return BUILDERS[kind](file.path.stem, weights.tensors, torch.device(device))
    except RuntimeError as error:
        raise UserError(f"{name}: its tensors do not fit a {kind}: {str(error).splitlines()[-1].strip()}") from error


def weights_checksum(name_or_path: str | Path) -> str:
    """SHA-256 of a generator's weights file."""
    file = SHIPPED.get(str(name_or_path)) or WeightsFile(Path(name_or_path))
    return file.sha256 or sha256_of(file.path)


def latent_fingerprint(tensors: dict[str, Tensor]) -> str:
    """Fingerprint of a latent space: of the mapping network and the mean latent, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        if name.startswith("mapping.") or name == "latent_avg":
            digest.update(f"{name} {tuple(tensors[name].shape)}".encode())
            digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()[:16]


def _mobilestylegan(name: str, tensors: dict[str, Tensor], device: torch.device) -> Generator:
    with torch.device("meta"):
        generator = MobileStyleGAN(name=name, fingerprint=latent_fingerprint(tensors))
    return with_weights(generator, tensors).to(device)


BUILDERS: dict[str, Callable[[str, dict[str, Tensor], torch.device], Generator]] = {"mobilestylegan": _mobilestylegan}
