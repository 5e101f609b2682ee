"""A prior on codes: what keeps the iterator where codes edit well."""

from collections.abc import Callable

from torch import Tensor

from latentloop.inversion.prior_config import PriorConfig
from latentloop.latents.alignment import StyleAlignment, layer_spread
from latentloop.losses.image import weighted_sum

CodePrior = Callable[[Tensor], Callable[[Tensor], Tensor]]
"""Start -> codes -> what is added to their loss, (N,); start and codes are (N, num_ws, w_dim)."""
FINE = 11
"""First style that draws at 256 pixels or more, 4 * 2^ceil(i / 2) in StyleGAN and MobileStyleGAN."""


def code_prior(
    config: PriorConfig, *, w_std: Callable[[], float], alignment: Callable[[], StyleAlignment]
) -> CodePrior | None:
    """Make the prior of some weights; None if all are 0.

    Call it with the starts, then with codes: `prior(start)(w_plus)`, (N,). A term of weight 0 costs nothing.

    Args:
        config: The weights.
        w_std: Gives the standard deviation of W; called only if there is a term.
        alignment: Gives the style vectors of random codes, on the generator's device; called only if their term counts.
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
    """Measure the mean squared distance of codes from their starts, in units of W's variance.

    Args:
        w_std: Standard deviation of W.
        first: First style that counts; without any such style the distance is 0.
    """

    def from_start(start: Tensor) -> Callable[[Tensor], Tensor]:
        counted = max(start[0, first:].numel(), 1)
        return lambda w_plus: (w_plus - start)[:, first:].square().sum(dim=(1, 2)) / (counted * w_std**2)

    return from_start
