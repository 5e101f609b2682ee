"""Estimation of a generator's perceptual metric from random codes."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from latentloop.defaults import WORKING_SIZE
from latentloop.features.lpips import Lpips
from latentloop.generators.protocol import Generator
from latentloop.inversion.metric import PerceptualMetric
from latentloop.latents import sample_codes
from latentloop.losses.config import LossConfig

RANK = 96
"""Largest number of axes kept per layer; eigenvalues beyond it are below a tenth of the mean."""
BATCH = 4
"""Number of codes per forward and backward pass."""
Features = Callable[[Tensor], Iterable[Tensor]]
"""Function from images (N, 3, H, W) to maps whose squared distance, summed, is the loss between two images."""


def loss_features(lpips: Lpips, config: LossConfig | None = None) -> Features:
    """Make the features whose squared distance is the iterator's loss: MSE and LPIPS, with their weights."""
    config = config or LossConfig()

    # Roots of the weights, since the loss is the square of the features' differences.
    def features(image: Tensor) -> Iterator[Tensor]:
        yield image * (config.lambda_mse / image[0].numel()) ** 0.5
        for seen in lpips.coordinates(image):
            yield seen * config.lambda_lpips**0.5

    return features


def estimate_metric(
    generator: Generator,
    features: Features,
    *,
    samples: int,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> PerceptualMetric:
    """Estimate the metric of a generator with one backward pass per sample; the matrices are summed on the CPU.

    For standard normal u, J^T u has the covariance J^T J; the mean over random, untruncated codes is the metric.

    Args:
        generator: Generator to measure.
        features: Features of the loss.
        samples: Number of random codes.
        seed: Seed of the codes and of u.
        on_progress: Called with the number of codes done and their total.
    """
    randomness = torch.Generator().manual_seed(seed)
    metric = torch.zeros(generator.num_ws, generator.w_dim, generator.w_dim)
    for done in range(0, samples, BATCH):
        on_progress(done, samples)
        w_plus = sample_codes(generator, min(BATCH, samples - done), randomness=randomness)
        # (num_ws, batch, w_dim), so that the product below sums over the batch, layer by layer.
        pulled = pulled_back(generator, features, w_plus, randomness=randomness).float().cpu().transpose(0, 1)
        metric += pulled.mT @ pulled / samples  # (num_ws, w_dim, w_dim)
    on_progress(samples, samples)
    return metric_of(metric, fingerprint=generator.fingerprint)


def pulled_back(generator: Generator, features: Features, w_plus: Tensor, *, randomness: torch.Generator) -> Tensor:
    """Compute J^T u for codes, in their shape (N, num_ws, w_dim), with standard normal u over the features.

    Args:
        generator: Generator, which draws at the working size of the iterator.
        features: Features whose Jacobian with respect to the code is J.
        w_plus: Codes at which the Jacobian is taken.
        randomness: Source of u; on the CPU, so that a seed gives the same u on every device.
    """
    w_plus = w_plus.detach().requires_grad_()
    with torch.enable_grad():
        image = generator.synthesis(w_plus, resolution=min(WORKING_SIZE, generator.resolution))
        parts = [(torch.randn(seen.shape, generator=randomness).to(seen) * seen).sum() for seen in features(image)]
        (pulled,) = torch.autograd.grad(torch.stack(parts).sum(), w_plus)
    return pulled


def metric_of(matrices: Tensor, *, fingerprint: str) -> PerceptualMetric:
    """Make a metric from the largest eigenvalues and eigenvectors of the matrices M_l, (num_ws, w_dim, w_dim)."""
    rank = min(RANK, matrices.shape[-1])
    # Mean eigenvalues t_l = trace(M_l) / w_dim; layers differ by orders of magnitude.
    means = matrices.diagonal(dim1=-2, dim2=-1).mean(dim=-1).clamp_min(torch.finfo(matrices.dtype).tiny)
    # eigh sorts eigenvalues in ascending order; eigenvectors are columns.
    values, vectors = torch.linalg.eigh(matrices / means[:, None, None])
    energies = values[:, -rank:].flip(-1).clamp_min(0)
    return PerceptualMetric(vectors[..., -rank:].mT.flip(-2).contiguous(), energies, fingerprint)
