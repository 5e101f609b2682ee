"""Fidelity of a generator, such as a distilled one, to another generator's images."""

import torch
from torch import Tensor

from latentloop.evaluation.measure import EVALUATION_SIZE, Evaluator
from latentloop.generators.protocol import Generator
from latentloop.latents import sample_codes, truncate


def held_out_codes(generator: Generator, count: int, *, seed: int) -> dict[str, Tensor]:
    """Sample codes for comparing generators: truncated (psi 0.7), untruncated (psi 1), and W+ mixtures.

    A mixture has an independent random style in each layer, at psi 1: the hardest codes of W+.

    Args:
        generator: Generator whose latent space is sampled.
        count: Number of codes of each kind.
        seed: Random seed of z; gives the same codes on every device.

    Returns:
        Codes of each kind, (count, num_ws, w_dim), by the kind's name.
    """
    randomness = torch.Generator().manual_seed(seed)
    styles = sample_codes(generator, count * generator.num_ws, randomness=randomness)[:, 0]  # (count * num_ws, w_dim)
    plain = sample_codes(generator, 2 * count, randomness=randomness)
    return {
        "psi 0.7": truncate(plain[:count], generator.latent_avg, psi=0.7),
        "psi 1": plain[count:],
        "W+ mixtures": styles.unflatten(0, (count, generator.num_ws)),
    }


@torch.inference_mode()
def compare_generators(
    student: Generator, teacher: Generator, w_plus: Tensor, evaluator: Evaluator
) -> list[dict[str, float]]:
    """Measure a student generator's images against its teacher's, code by code.

    Args:
        student: Generator to measure.
        teacher: Generator with the same latent space, whose images are the targets.
        w_plus: Codes, (N, num_ws, w_dim).
        evaluator: Metrics to compute.

    Returns:
        Metrics of each code by name.
    """
    figures = []
    for code in w_plus.split(1):
        drawn, wanted = (
            g.synthesis(code, resolution=min(EVALUATION_SIZE, g.resolution)).cpu() for g in (student, teacher)
        )
        figures += evaluator.measure(drawn, wanted.clamp(-1, 1))
    return figures
