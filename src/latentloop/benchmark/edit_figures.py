"""Figures of a code under edits, each a function of codes and of what draws, embeds or compares them."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Draw = Callable[[Tensor], Tensor]
"""Draws codes (N, num_ws, w_dim) as images (N, 3, R, R)."""
Embed = Callable[[Tensor], Tensor]
"""Finds codes (N, num_ws, w_dim) of images (N, 3, R, R) in one pass."""
CORRECTIONS = 3
"""Corrections of an edit's strength after the first."""
GROWTH, LEAST_GROWTH, MOST_GROWTH = 1.5, 0.5, 4.0
"""Power of the strength by which an image's change is first taken to grow, and the range in which it is then looked
for."""


def code_distance(w_plus: Tensor, other: Tensor) -> Tensor:
    """Compute the root mean square of the difference of codes (N, num_ws, w_dim) over layers and numbers; (N,)."""
    return (w_plus - other).square().mean(dim=(1, 2)).sqrt()


def there_and_back(w_plus: Tensor, change: Tensor, draw: Draw, embed: Embed) -> Tensor:
    """Edit codes, draw them, embed the images in one pass, and undo the edit: f^-1(E(G(f(w)))).

    Args:
        w_plus: Codes, (N, num_ws, w_dim).
        change: What the edit f adds to each code, alike.
        draw: The generator G.
        embed: The embedding network E.

    Returns:
        Codes, (N, num_ws, w_dim): `w_plus` again, if drawing and embedding lose nothing.
    """
    return embed(draw(w_plus + change)) - change


def strengths_of_change(change_at: Callable[[Tensor], Tensor], wanted: float, *, count: int, most: float) -> Tensor:
    """Find the strengths at which edits change their images equally, by the secant method on logarithms; (count,).

    Args:
        change_at: Gives the change of each image, (count,), at strengths, (count,); it grows with the strength.
        wanted: The change that all are to have.
        count: Number of edits.
        most: Largest strength, which an edit gets that changes its image less than is wanted.
    """

    def error_at(log_strengths: Tensor) -> Tensor:
        return (change_at(log_strengths.exp()) / wanted).log()

    growth, at = torch.full((count,), GROWTH), torch.zeros(count)
    error = error_at(at)
    for _ in range(CORRECTIONS):
        corrected = (at - error / growth).clamp(max=math.log(most))
        left = error_at(corrected)
        slope = (left - error) / (corrected - at)
        growth = torch.where(slope.isfinite(), slope, growth).clamp(LEAST_GROWTH, MOST_GROWTH)
        at, error = corrected, left
    return (at - error / growth).clamp(max=math.log(most)).exp()
