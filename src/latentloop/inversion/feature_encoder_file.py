"""Files of feature encoders: float16 safetensors with the configuration."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from latentloop.errors import UserError, in_one_line
from latentloop.generators import Generator, Scaled, weights_fingerprint
from latentloop.inversion.feature_encoder import FeatureEncoder, FeatureEncoderConfig
from latentloop.weights import OurWeights, WeightsFile, read_ours, shipped, with_weights, write_ours

SHIPPED = {
    "fac01629d60b9f0c": shipped(
        "features-ffhq.safetensors", "927b468ad1daeb331076595e228d19a05666f43b751886ced5ff38f481cad782"
    ),
}
"""Bundled feature encoders by the fingerprint of the synthesis weights whose features they change."""
NAME = "feature-encoder"
"""Kind of these files, as their metadata names it."""
LARGEST = 1 << 13
"""Largest size that is read, against damaged files that would ask for gigabytes."""


def save_feature_encoder(path: Path, encoder: FeatureEncoder) -> None:
    """Write a feature encoder to a file that `read_feature_encoder` reads, atomically, in float16.

    Raises:
        UserError: The file cannot be written.
    """
    tensors = {name: tensor.half().cpu().contiguous() for name, tensor in encoder.state_dict().items()}
    exact = {"latent_avg": encoder.latent_avg.float().cpu(), "w_std": encoder.w_std.float().cpu()}
    write_ours(path, NAME, tensors | exact, {"config": asdict(encoder.config), "weights": encoder.weights})


def find_feature_encoder(generator: Generator) -> FeatureEncoder | None:
    """Load the bundled feature encoder of a generator onto its device; None if there is none.

    Raises:
        UserError: The file is missing or damaged.
    """
    synthesis: object = generator.synthesis
    if not isinstance(synthesis, Scaled):
        return None
    file = SHIPPED.get(weights_fingerprint(generator))
    return read_feature_encoder(file, generator) if file else None


def read_feature_encoder(file: WeightsFile, generator: Generator) -> FeatureEncoder:
    """Read the frozen feature encoder of a generator from a file onto the generator's device.

    Raises:
        UserError: The file is missing, damaged, of another kind, or of another generator.
    """
    ours = read_ours(file, NAME, what="a feature encoder", advice="scripts/train_feature_encoder.py makes one")
    try:
        return _encoder(ours, generator).to(generator.device)
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        reason = in_one_line(ValueError(lines[-1]))
        raise UserError(f"{file.path}: no feature encoder of {generator.name} ({reason})") from error


def _encoder(ours: OurWeights, generator: Generator) -> FeatureEncoder:
    settings: dict[str, Any] = ours.settings["config"]
    config, weights = FeatureEncoderConfig(**settings), ours.settings["weights"]
    if not all(type(size) is int and 0 < size <= LARGEST for size in settings.values()):
        raise ValueError(f"sizes {settings}")
    if weights != weights_fingerprint(generator):
        raise ValueError("it belongs to other weights")
    with torch.device("meta"):
        encoder = FeatureEncoder(config, weights=weights, sha256=ours.sha256)
    return with_weights(encoder, ours.tensors)
