"""Random codes to train on: from W, from W+ around it, and from the path of an iterator."""

from dataclasses import replace

import torch
from torch import Tensor

from latentloop.generators import DrawnBy, Generator, random_inputs
from latentloop.inversion import IteratorConfig, LatentIterator
from latentloop.latents import broadcast, mean_code
from latentloop.losses import LossToward

PSI = (0.5, 1.0)
"""Range of the truncation psi, drawn uniformly."""
PLAIN, CROSSED, INDEPENDENT = 0.45, 0.15, 0.25
"""Shares of the kinds of codes; the rest are interpolations between two."""
ADAM = IteratorConfig(optimizer="adam", lr=0.1, ramp_down=0.3)
"""Settings of the iterator whose path is sampled; Muon's path is denser near its end."""


@torch.no_grad()
def sample_training_codes(generator: Generator, count: int, *, randomness: torch.Generator) -> Tensor:
    """Sample random codes, (count, num_ws, w_dim), each truncated with its own psi.

    Four kinds: one style of W for all layers; two styles with a crossover (style mixing, Karras et al.,
    arXiv:1812.04948); an independent style for each layer; and interpolations between two styles, by a random share per
    layer.

    Args:
        generator: Generator of the codes.
        count: Number of codes.
        randomness: Random generator on the CPU, so that a seed gives the same codes on every device.
    """
    num_ws, device = generator.num_ws, generator.device
    # Enough styles for a code with an independent one in each layer.
    z, labels = random_inputs(generator, count * num_ws, randomness)
    psi = torch.empty(count, 1, 1).uniform_(*PSI, generator=randomness)
    kind = torch.rand(count, 1, generator=randomness)  # position in the cumulative shares of the kinds
    crossing = torch.randint(1, num_ws, (count, 1), generator=randomness)
    share = torch.rand(count, num_ws, 1, generator=randomness)
    # All random numbers are drawn for all kinds, whichever a code gets: a seed's other codes never shift. Of the
    # num_ws styles drawn per code, layer i takes style source[i]: 0, 0 or 1 (crossover), or i (independent).
    styles = broadcast(generator.mapping(z, labels), num_ws).unflatten(0, (count, num_ws)).cpu()
    layer = torch.arange(num_ws).expand(count, -1)
    source = torch.where(kind < PLAIN + CROSSED + INDEPENDENT, layer, 0)
    source = torch.where(kind < PLAIN + CROSSED, (layer >= crossing).long(), source)
    source = torch.where(kind < PLAIN, 0, source)
    w_plus = styles.gather(1, source[:, None, :, None].expand(-1, 1, -1, styles.shape[-1])).squeeze(1)
    between = kind[:, :, None] >= PLAIN + CROSSED + INDEPENDENT
    w_plus = torch.where(between, styles[:, 0].lerp(styles[:, 1], share.to(styles)), w_plus)
    return generator.latent_avg.cpu().lerp(w_plus, psi.to(w_plus)).to(device)


def sample_iterated_codes(generator: Generator, target: Tensor, loss: LossToward, *, steps: int, count: int) -> Tensor:
    """Sample codes on the iterator's path from the mean code to targets, (N * count, num_ws, w_dim).

    They are far from the outputs of a mapping network: half of their distance from the mean is in directions in which W
    hardly varies. A student generator must reproduce them, too, if the iterator is to use it.

    Args:
        generator: Generator that the iterator draws with.
        target: Images (N, 3, R, R) in [-1, 1].
        loss: Loss that the iterator minimizes.
        steps: Number of the iterator's steps.
        count: Number of codes per target: evenly spaced, including the last.
    """
    drawn: list[Tensor] = []

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        # Copied: the optimizer changes the codes in place.
        drawn.append(w_plus.detach().clone())
        return generator.synthesis(w_plus, resolution=resolution)

    iterator = LatentIterator(DrawnBy(generator, draw), loss, replace(ADAM, steps=steps))
    iterator.refine(target, mean_code(generator, len(target)))
    # `drawn[k]` is the code after k steps, with the start at 0.
    passed = [drawn[(i + 1) * steps // count] for i in range(count)]
    return torch.stack(passed, dim=1).flatten(0, 1)
