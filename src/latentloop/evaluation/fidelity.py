"""Fidelity of a generator, such as a distilled one, to the images of another."""

import torch
from torch import Tensor

from latentloop.evaluation.measure import EVALUATION_SIZE, Evaluator
from latentloop.generators.protocol import Generator
from latentloop.latents import sample_codes, truncate


def held_out_codes(generator: Generator, count: int, *, seed: int) -> dict[str, Tensor]:
    """Sample codes to compare generators on: truncated (psi 0.7), untruncated (psi 1), and W+ mixtures.

    A mixture takes each layer's style from a code of its own, at psi 1: the hardest codes of W+.

    Args:
        generator: Generator whose latent space is sampled.
        count: Number of codes of each kind.
        seed: Random seed of z, the same on every device.

    Returns:
        Codes of each kind by its name, (count, num_ws, w_dim).
    """
    randomness = torch.Generator().manual_seed(seed)
    styles = sample_codes(generator, count * generator.num_ws, randomness=randomness)[:, 0]
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
    """Measure a student's images against its teacher's, for each code.

    Args:
        student: Generator to measure.
        teacher: Generator with the same latent space, whose images are the targets.
        w_plus: Codes, (N, num_ws, w_dim).
        evaluator: Metrics to compute.

    Returns:
        The metrics of each code, by name.
    """
    figures = []
    for code in w_plus.split(1):
        drawn, wanted = (
            g.synthesis(code, resolution=min(EVALUATION_SIZE, g.resolution)).cpu() for g in (student, teacher)
        )
        figures += evaluator.measure(drawn, wanted.clamp(-1, 1))
    return figures
