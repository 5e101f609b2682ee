"""Files of embedding networks: float16 safetensors with the configuration, without the frozen pretrained parts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentloop.encoders.config import EmbedderConfig
from latentloop.encoders.embedder import Embedder, find_classifier, find_identity_encoder
from latentloop.encoders.identity import IdentityEncoder
from latentloop.errors import UserError, in_one_line, shown
from latentloop.generators import Generator
from latentloop.hub import local_name
from latentloop.weights import OurWeights, WeightsFile, kind_in, read_ours, shipped, write_ours


@dataclass(frozen=True)
class ShippedEmbedder:
    """A bundled embedding network and the latent space of its codes."""

    file: WeightsFile
    """File of the network's weights."""
    fingerprint: str
    """Fingerprint of the latent space of the codes that it predicts."""


SHIPPED = {
    "base-ffhq": ShippedEmbedder(
        shipped("base-ffhq.safetensors", "9b66d51b23f876348a7a33f26b1f3c420e3b649da256f3c0e18cd933e2372a23"),
        fingerprint="cac4c956bbb78d3d",
    ),
}
"""Bundled embedding networks by name."""
NAME = "embedder"
"""Kind of these files, as their metadata names it."""
MAX_SIZE = 1 << 13
"""Largest resolution and number of channels that are read, against damaged files that would ask for gigabytes."""
MAX_STAGES = 12
"""Largest number of stages that is read."""
FROZEN_IDENTITY, CLASSIFIER = "identity.network.", "maps.network."
"""Beginnings of the names of tensors that are bundled already, and so not stored again."""


def save_embedder(path: Path, embedder: Embedder) -> None:
    """Write an embedding network to a file that `load_embedder` reads, atomically.

    Raises:
        UserError: The file cannot be written.
    """
    about = {
        "config": asdict(embedder.config),
        "num_ws": embedder.num_ws,
        "fingerprint": embedder.fingerprint,
    }
    tensors = {name: tensor.half().cpu().contiguous() for name, tensor in own_tensors(embedder).items()}
    tensors["latent_avg"] = embedder.latent_avg.float().cpu()  # in full precision: every code is an offset from it
    write_ours(path, NAME, tensors, about)


def is_embedder(path: Path) -> bool:
    """Check by its header whether a file is an embedding network that latentloop wrote."""
    return kind_in(path) == NAME


def shipped_embedder(generator: Generator) -> str | None:
    """Return the name of the bundled embedding network for a generator's latent space; None if there is none."""
    return next((name for name, one in SHIPPED.items() if one.fingerprint == generator.fingerprint), None)


def missing_network(generator: Generator) -> UserError:
    """Return the error that there is no embedding network for a generator."""
    text = f"no embedding network is bundled for {generator.name}; make one: latentloop train"
    return UserError(text, arguments="embedder")


def embedder_weights(name_or_path: str | Path) -> WeightsFile:
    """Return the weights file of a bundled embedding network by name, or the file at a path or Hub address."""
    name = local_name(name_or_path, NAME)
    return SHIPPED[name].file if name in SHIPPED else WeightsFile(Path(name))


def load_embedder(
    name_or_path: str | Path, generator: Generator, *, identity: IdentityEncoder | None = None
) -> Embedder:
    """Load a frozen embedding network onto the device of its generator.

    Args:
        name_or_path: Name of a bundled network, or a file that `save_embedder` wrote, also as hf://OWNER/REPO.
        generator: Generator whose codes the network predicts.
        identity: Identity encoder that the network was trained with, if it is not the bundled one.

    Raises:
        UserError: The file is missing, damaged or of another kind, or its codes belong to another generator.
    """
    file = embedder_weights(name_or_path)
    ours = read_ours(file, NAME, what="an embedding network", advice="latentloop train makes one")
    try:
        config, found = _config(ours), (ours.settings["fingerprint"], ours.settings["num_ws"])
        if (wanted := (generator.fingerprint, generator.num_ws)) != found or type(found[1]) is not int:
            raise UserError(
                f"{name_or_path}: predicts codes of latent space {found[0]!s:.40} with {found[1]!s:.40} styles, "
                f"{generator.name} has {wanted[0]} with {wanted[1]}"
            )
        embedder = _build(config, ours.tensors, generator, identity)
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        reason = in_one_line(error if isinstance(error, LookupError) else ValueError(lines[-1]))
        raise UserError(f"{name_or_path}: damaged, or from another version of latentloop: {reason}") from error
    return embedder.to(generator.device)


def own_tensors(embedder: Embedder) -> dict[str, Tensor]:
    """Return a network's tensors, without those of the classifier and of a frozen identity encoder."""
    frozen = (CLASSIFIER, FROZEN_IDENTITY) if embedder.config.frozen_identity else (CLASSIFIER,)
    return {n: t for n, t in embedder.state_dict().items() if not n.startswith(frozen)}


def _config(ours: OurWeights) -> EmbedderConfig:
    """The configuration in a file, checked to be small enough to build before its tensors are compared."""
    settings: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in ours.settings["config"].items()}
    # Fields that the file lacks are newer than it, and keep their defaults.
    for name, default in asdict(EmbedderConfig()).items():
        if not _is_alike(settings.get(name, default), default):
            raise TypeError(f"{name} is {shown(settings[name])}")
    config = EmbedderConfig(**settings)
    sizes = (config.resolution, config.head_channels, config.tap_channels, *config.channels)
    if max(sizes) > MAX_SIZE or sum(config.depths) + config.fusion_blocks > len(ours.tensors):
        raise ValueError("its configuration is for a network larger than its tensors")
    return config


def _is_alike(value: object, default: object) -> bool:
    """Whether a setting has the type of its default."""
    if isinstance(default, tuple):
        return isinstance(value, tuple) and len(value) <= MAX_STAGES and all(type(one) is int for one in value)
    return type(value) is type(default)


def _build(
    config: EmbedderConfig, tensors: Mapping[str, Tensor], generator: Generator, identity: IdentityEncoder | None
) -> Embedder:
    identity, classifier = identity or find_identity_encoder(config), find_classifier(config)

    def empty() -> Embedder:
        latent_avg = torch.zeros_like(tensors["latent_avg"])
        return Embedder(
            config,
            latent_avg=latent_avg,
            num_ws=generator.num_ws,
            fingerprint=generator.fingerprint,
            identity=identity,
            classifier=classifier,
        )

    if tensors["latent_avg"].shape[-1:] != (generator.w_dim,):
        raise ValueError(f"latent_avg is {tuple(tensors['latent_avg'].shape)}")
    with torch.device("meta"):  # compares shapes without allocating what a damaged file may claim
        wanted = own_tensors(empty())
    if missing := wanted.keys() - tensors.keys():
        raise LookupError(f"{min(missing)} is missing")
    for name, tensor in wanted.items():
        if tensor.shape != tensors[name].shape:
            raise ValueError(f"{name} must be {tuple(tensor.shape)}, got {tuple(tensors[name].shape)}")
    embedder = empty()
    embedder.load_state_dict({**embedder.state_dict(), **tensors})
    return embedder.requires_grad_(False).eval()
