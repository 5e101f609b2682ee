"""How faithfully one generator draws what another does."""

import torch
from torch import Tensor

from latentloop.evaluation.measure import RESOLUTION, Evaluator
from latentloop.generators.protocol import Generator
from latentloop.latents import sample_codes, truncate


def held_out_codes(generator: Generator, count: int, *, seed: int) -> dict[str, Tensor]:
    """Codes to compare on, each (count, num_ws, w_dim): of psi 0.7, of psi 1, and W+ mixtures.

    A mixture takes every style from a code of its own, psi 1: the hardest that W+ has.
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
    """Figures of the student's image of each code (N, num_ws, w_dim) against the teacher's, at 256 pixels."""
    figures = []
    for code in w_plus.split(1):
        drawn, wanted = (g.synthesis(code, resolution=min(RESOLUTION, g.resolution)).cpu() for g in (student, teacher))
        figures += evaluator.measure(drawn, wanted.clamp(-1, 1))
    return figures
