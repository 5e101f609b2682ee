"""Metrics of a code under edits, as functions of codes and of what draws, embeds or compares them."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Draw = Callable[[Tensor], Tensor]
"""Draws codes (N, num_ws, w_dim) as images (N, 3, R, R)."""
Embed = Callable[[Tensor], Tensor]
"""Predicts codes (N, num_ws, w_dim) of images (N, 3, R, R) in one pass."""
CORRECTIONS = 3
"""Number of corrections of an edit's strength after the first guess."""
GROWTH, LEAST_GROWTH, MOST_GROWTH = 1.5, 0.5, 4.0
"""Assumed exponent of the image's change as a function of the strength, and the range of estimated exponents."""


def code_distance(w_plus: Tensor, other: Tensor) -> Tensor:
    """Compute the root mean square difference of codes (N, num_ws, w_dim) over layers and dimensions, (N,)."""
    return (w_plus - other).square().mean(dim=(1, 2)).sqrt()


def there_and_back(w_plus: Tensor, change: Tensor, draw: Draw, embed: Embed) -> Tensor:
    """Edit codes, draw them, embed the images in one pass, and undo the edit: f^-1(E(G(f(w)))).

    The distance of the result from `w_plus` is the latent editing consistency (LEC) of e4e (Tov et al.,
    arXiv:2102.02766).

    Args:
        w_plus: Codes, (N, num_ws, w_dim).
        change: Difference that the edit f adds to each code.
        draw: Generator G.
        embed: Embedding network E.

    Returns:
        Codes, (N, num_ws, w_dim): `w_plus` again, if drawing and embedding lose nothing.
    """
    return embed(draw(w_plus + change)) - change


def strengths_of_change(change_at: Callable[[Tensor], Tensor], wanted: float, *, count: int, most: float) -> Tensor:
    """Find the strengths at which edits change their images equally, by the secant method on logarithms, (count,).

    Args:
        change_at: Returns the change of each image, (count,), at strengths, (count,); it grows with the strength.
        wanted: Change that all edits should cause.
        count: Number of edits.
        most: Largest strength, used for an edit whose image never changes as much.
    """

    def error_at(log_strengths: Tensor) -> Tensor:
        return (change_at(log_strengths.exp()) / wanted).log()

    # In logarithms a power law is a line, on which the first correction is exact; later ones estimate its slope.
    growth, at = torch.full((count,), GROWTH), torch.zeros(count)
    error = error_at(at)
    for _ in range(CORRECTIONS):
        corrected = (at - error / growth).clamp(max=math.log(most))
        left = error_at(corrected)
        slope = (left - error) / (corrected - at)
        # Not finite at the largest strength, where a correction no longer moves: 0 / 0.
        growth = torch.where(slope.isfinite(), slope, growth).clamp(LEAST_GROWTH, MOST_GROWTH)
        at, error = corrected, left
    return (at - error / growth).clamp(max=math.log(most)).exp()
