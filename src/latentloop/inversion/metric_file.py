"""Perceptual metrics as files: those in the package, and those that `latentloop metric` made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from latentloop.errors import UserError, in_one_line
from latentloop.files import cache_folder
from latentloop.generators import Generator
from latentloop.inversion.metric import PerceptualMetric
from latentloop.weights import OurWeights, WeightsFile, read_ours, shipped, write_ours

SHIPPED = {
    "cac4c956bbb78d3d": shipped(
        "metric-ffhq.safetensors", "ecd6c82d6d34d914a6ad9d782d06fea1a2fa0d76d847abd9f382dfaa188102c3"
    ),
}
"""Bundled metrics, by the fingerprint of the latent space."""
NAME = "metric"
"""Kind of these files, with which the metadata entry begins."""
TOLERANCE = 0.01
"""Largest deviation of the axes' products from those of an orthonormal basis; float16 has 0.002."""


def save_metric(path: Path, metric: PerceptualMetric, about: Mapping[str, Any]) -> None:
    """Write a metric that `read_metric` reads; the file appears whole.

    Args:
        path: Where to.
        metric: Axes are stored in float16, energies in float32.
        about: Values that tell how it was made.

    Raises:
        UserError: The file cannot be written.
    """
    tensors = {"axes": metric.axes.half().cpu().contiguous(), "energies": metric.energies.float().cpu().contiguous()}
    write_ours(path, NAME, tensors, {**about, "fingerprint": metric.fingerprint})


def cached_metric_path(generator: Generator) -> Path:
    """Path of the metric of a generator that is not bundled: `latentloop metric` writes it, and all jobs look there."""
    return cache_folder() / "metrics" / f"{generator.fingerprint}-{generator.num_ws}-{generator.w_dim}.safetensors"


def find_metric(generator: Generator) -> PerceptualMetric | None:
    """Load the metric of a generator, onto its device: the bundled one, or the one in the cache; None without either.

    Raises:
        UserError: The file is damaged.
    """
    cached = cached_metric_path(generator)
    file = SHIPPED.get(generator.fingerprint) or (WeightsFile(cached) if cached.is_file() else None)
    return read_metric(file, generator) if file else None


def read_metric(file: WeightsFile, generator: Generator) -> PerceptualMetric:
    """Read a metric, onto the device of its generator.

    Raises:
        UserError: The file is missing, of another kind, damaged, or another generator's.
    """
    ours = read_ours(file, NAME, what="a generator's metric", advice="latentloop metric makes one")
    try:
        return _metric(ours, generator)
    except (LookupError, TypeError, ValueError) as error:
        again = "delete it, or make it again: latentloop metric"
        raise UserError(f"{file.path}: no metric of {generator.name} ({in_one_line(error)}); {again}") from error


def _metric(ours: OurWeights, generator: Generator) -> PerceptualMetric:
    axes, energies, fingerprint = ours.tensors["axes"], ours.tensors["energies"], ours.settings["fingerprint"]
    if fingerprint != generator.fingerprint:
        raise ValueError("it is of another latent space")
    wanted = (generator.num_ws, energies.shape[-1] if energies.ndim else 0, generator.w_dim)
    if axes.shape != wanted or energies.shape != wanted[:2]:
        raise ValueError(f"axes {tuple(axes.shape)} and energies {tuple(energies.shape)}")
    if energies.ndim != 2 or not 0 < wanted[1] <= wanted[2]:
        raise ValueError(f"energies {tuple(energies.shape)}")
    if not (energies.isfinite().all() and (energies >= 0).all()):
        raise ValueError("energies that are negative or not finite")
    if not ((axes @ axes.mT - torch.eye(wanted[1])).abs() < TOLERANCE).all():
        raise ValueError("axes that are not orthonormal")
    device = generator.device
    return PerceptualMetric(axes.to(device), energies.to(device), fingerprint, ours.sha256)
