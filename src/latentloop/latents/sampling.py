"""Random codes, the mean code, truncation, broadcasting W to W+, and checks of given codes."""

import torch
from torch import Tensor

from latentloop.generators.protocol import Generator, check_generator
from latentloop.generators.sampling import random_inputs
from latentloop.options import check_kind, is_finite, is_whole


def broadcast(w: Tensor, num_ws: int) -> Tensor:
    """Repeat a style for every layer: (N, w_dim) in W to (N, num_ws, w_dim) in W+; codes in W+ stay as they are.

    Raises:
        ValueError: The code has another number of axes, or `num_ws` is below 1.
    """
    if w.ndim not in (2, 3) or num_ws < 1:
        raise ValueError(f"w must be (N, w_dim) or (N, num_ws, w_dim) with 1 layer or more, got {tuple(w.shape)}")
    return w if w.ndim == 3 else w[:, None].expand(-1, num_ws, -1)  # a view: rows share memory, never write to it


def truncate(w_plus: Tensor, latent_avg: Tensor, *, psi: float, cutoff: int | None = None) -> Tensor:
    """Pull styles towards the mean latent: the truncation trick (Karras et al., arXiv:1812.04948).

    Args:
        w_plus: Styles, (N, num_ws, w_dim).
        latent_avg: Mean of W, (w_dim,), or of each layer's styles, (num_ws, w_dim).
        psi: 1 keeps `w_plus`; 0 gives `latent_avg` everywhere.
        cutoff: Number of layers to truncate, coarsest first; None for all.

    Raises:
        ValueError: `psi` is not finite, or `cutoff` is negative.
    """
    if not is_finite(psi):
        raise ValueError(f"truncation_psi must be a finite number, got {psi!r}")
    if cutoff is not None and (not is_whole(cutoff) or cutoff < 0):
        raise ValueError(f"truncation_cutoff must be a number of layers, 0 or more, got {cutoff!r}")
    cutoff = w_plus.shape[1] if cutoff is None else cutoff
    # w' = latent_avg + psi (w - latent_avg) in the first `cutoff` layers.
    centre = latent_avg[:cutoff] if latent_avg.ndim == 2 else latent_avg
    return torch.cat([centre.lerp(w_plus[:, :cutoff], psi), w_plus[:, cutoff:]], dim=1)


def mean_code(generator: Generator, count: int = 1) -> Tensor:
    """Return the mean latent in every layer, (count, num_ws, w_dim).

    Raises:
        ValueError: `generator` is not a generator.
    """
    check_generator(generator)
    average = generator.latent_avg
    return broadcast(average.expand(count, *average.shape), generator.num_ws)


def sample_codes(
    generator: Generator,
    count: int,
    *,
    randomness: torch.Generator,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    label: int | None = None,
) -> Tensor:
    """Sample random codes, (count, num_ws, w_dim): z ~ N(0, I) through the mapping network, then truncation.

    Args:
        generator: Generator whose mapping network is used.
        count: Number of codes.
        randomness: Source of z; on the CPU, so that a seed gives the same codes on every device.
        truncation_psi: Truncation, from 1 (none) to 0 (the mean latent), see `truncate`.
        truncation_cutoff: Number of layers to truncate, coarsest first; None for all.
        label: Class of all codes, for a generator with classes; None for random ones.

    Raises:
        ValueError: The class does not exist, the count or the cutoff is negative, psi is not finite, or an argument has
            the wrong type.
    """
    check_generator(generator)
    check_kind("randomness", randomness, torch.Generator, "a torch.Generator")
    if not is_whole(count) or count < 0:
        raise ValueError(f"count must be 0 or more, got {count!r}")
    z, labels = random_inputs(generator, count, randomness, label=label)
    w_plus = broadcast(generator.mapping(z, labels), generator.num_ws)
    return truncate(w_plus, generator.latent_avg, psi=truncation_psi, cutoff=truncation_cutoff)


def one_code(w_plus: Tensor, generator: Generator) -> Tensor:
    """Check a code given by a caller, and move it to a generator's device, (1, num_ws, w_dim).

    Args:
        w_plus: Styles, (num_ws, w_dim) or (1, num_ws, w_dim).
        generator: Generator that is to draw it.

    Raises:
        ValueError: The code has another shape, or its numbers are not finite.
    """
    shape = (generator.num_ws, generator.w_dim)
    if not isinstance(w_plus, Tensor) or tuple(w_plus.shape) not in (shape, (1, *shape)):
        got = tuple(w_plus.shape) if isinstance(w_plus, Tensor) else f"a {type(w_plus).__name__}"
        raise ValueError(f"w_plus must be a tensor {shape} or {(1, *shape)}, got {got}")
    if not w_plus.isfinite().all():
        raise ValueError("w_plus must be finite")
    return w_plus.reshape(1, *shape).to(generator.latent_avg)


def code_off(
    w_plus: Tensor, generator: Generator, *, reach: float, truncation_psi: float, randomness: torch.Generator
) -> Tensor:
    """Return a code (1, num_ws, w_dim) at a fixed distance from another one, towards a random code.

    PTI uses such codes in its locality term (Roich et al., arXiv:2106.05744).

    Args:
        w_plus: Code to start from, (1, num_ws, w_dim).
        generator: Generator of the code.
        reach: Euclidean distance over all layers.
        truncation_psi: Truncation of the random code.
        randomness: Source of its z; on the CPU.
    """
    away = sample_codes(generator, 1, randomness=randomness, truncation_psi=truncation_psi).to(w_plus) - w_plus
    off: Tensor = w_plus + reach * away / torch.linalg.vector_norm(away)
    return off
