"""Files of perceptual metrics: the bundled ones, and those that `latentloop metric` writes."""

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
"""Bundled metrics by the fingerprint of the latent space."""
NAME = "metric"
"""Kind of these files, as their metadata names it."""
TOLERANCE = 0.01
"""Largest deviation of the axes' products from an orthonormal basis; rounding to float16 causes 0.002."""


def save_metric(path: Path, metric: PerceptualMetric, about: Mapping[str, Any]) -> None:
    """Write a metric to a file that `read_metric` reads, atomically.

    Args:
        path: File to write.
        metric: Metric; axes are stored in float16, energies in float32.
        about: Provenance to store with it.

    Raises:
        UserError: The file cannot be written.
    """
    tensors = {"axes": metric.axes.half().cpu().contiguous(), "energies": metric.energies.float().cpu().contiguous()}
    write_ours(path, NAME, tensors, {**about, "fingerprint": metric.fingerprint})


def cached_metric_path(generator: Generator) -> Path:
    """Return the path in the cache where `latentloop metric` writes a generator's metric and all jobs look for it."""
    return cache_folder() / "metrics" / f"{generator.fingerprint}-{generator.num_ws}-{generator.w_dim}.safetensors"


def find_metric(generator: Generator) -> PerceptualMetric | None:
    """Load the bundled or cached metric of a generator onto its device; None if there is none.

    Raises:
        UserError: The file is damaged.
    """
    cached = cached_metric_path(generator)
    file = SHIPPED.get(generator.fingerprint) or (WeightsFile(cached) if cached.is_file() else None)
    return read_metric(file, generator) if file else None


def read_metric(file: WeightsFile, generator: Generator) -> PerceptualMetric:
    """Read the metric of a generator from a file onto the generator's device.

    Raises:
        UserError: The file is missing, damaged, of another kind, or of another latent space.
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
        raise ValueError("it belongs to another latent space")
    wanted = (generator.num_ws, energies.shape[-1] if energies.ndim else 0, generator.w_dim)
    if axes.shape != wanted or energies.shape != wanted[:2]:
        raise ValueError(f"shapes of axes {tuple(axes.shape)} and energies {tuple(energies.shape)}")
    if energies.ndim != 2 or not 0 < wanted[1] <= wanted[2]:
        raise ValueError(f"shape of energies {tuple(energies.shape)}")
    if not (energies.isfinite().all() and (energies >= 0).all()):
        raise ValueError("its energies are negative or not finite")
    # `natural` relies on orthonormal axes: it inverts the metric without solving a system.
    if not ((axes @ axes.mT - torch.eye(wanted[1])).abs() < TOLERANCE).all():
        raise ValueError("its axes are not orthonormal")
    device = generator.device
    return PerceptualMetric(axes.to(device), energies.to(device), fingerprint, ours.sha256)
