"""Priors on codes, which keep the iterator where codes edit well."""

from collections.abc import Callable

from torch import Tensor

from latentloop.inversion.prior_config import PriorConfig
from latentloop.latents.alignment import StyleAlignment, layer_spread
from latentloop.losses.image import weighted_sum

CodePrior = Callable[[Tensor], Callable[[Tensor], Tensor]]
"""Function of starts that returns a function of codes, both (N, num_ws, w_dim), to a term of the loss, (N,)."""
FINE = 11
"""First style at 256 pixels or more; style i draws at 4 * 2^ceil(i / 2) pixels in StyleGAN2 and MobileStyleGAN."""


def code_prior(
    config: PriorConfig, *, w_std: Callable[[], float], alignment: Callable[[], StyleAlignment]
) -> CodePrior | None:
    """Make the weighted sum of priors that a configuration asks for; None if all weights are 0.

    Call it with the starts, then with codes: `prior(start)(w_plus)`, (N,). A term of weight 0 costs nothing.

    Args:
        config: Weights of the terms.
        w_std: Returns the standard deviation of W; called only if there is a term.
        alignment: Returns the style alignment on the generator's device; called only if its weight is not 0.
    """
    if not any((config.lambda_near, config.lambda_align, config.lambda_spread, config.lambda_fine)):
        return None
    std = w_std()
    terms: list[tuple[float | None, CodePrior]] = [
        (config.lambda_near, distance_from_start(std)),
        (config.lambda_spread, lambda _: lambda w_plus: layer_spread(w_plus, w_std=std)),
        (config.lambda_fine, distance_from_start(std, first=FINE)),
    ]
    if config.lambda_align:
        styles = alignment()
        terms.append((config.lambda_align, lambda _: lambda w_plus: -styles(w_plus)))
    return weighted_sum(*[(weight, term) for weight, term in terms if weight])


def distance_from_start(w_std: float, *, first: int = 0) -> CodePrior:
    """Make the prior of the mean squared distance of codes from their starts, in units of W's variance.

    Args:
        w_std: Standard deviation of W.
        first: First style that counts; if a code has no such style, the distance is 0.
    """

    def from_start(start: Tensor) -> Callable[[Tensor], Tensor]:
        counted = max(start[0, first:].numel(), 1)  # numbers of a code that count; 1 if there are none, against 0 / 0
        return lambda w_plus: (w_plus - start)[:, first:].square().sum(dim=(1, 2)) / (counted * w_std**2)

    return from_start
