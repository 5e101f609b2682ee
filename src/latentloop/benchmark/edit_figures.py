"""Figures of a code under edits, each a function of codes and of what draws, embeds or compares them."""

from collections.abc import Callable

import torch
from torch import Tensor

Draw = Callable[[Tensor], Tensor]
"""Draws codes (N, num_ws, w_dim) as images (N, 3, R, R)."""
Embed = Callable[[Tensor], Tensor]
"""Finds codes (N, num_ws, w_dim) of images (N, 3, R, R) in one pass."""
CORRECTIONS, GROWTH = 4, 1.5
"""Corrections of an edit's strength, and the power of the strength by which a change is taken to grow. If it grows by a
power p, each correction leaves |1 - p / 1.5| of the error: a third or less for LPIPS, whose p was 1 to 1.9."""


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
    """Find the strengths at which edits change their images equally; (count,).

    Args:
        change_at: Gives the change of each image, (count,), at strengths, (count,); it grows with the strength.
        wanted: The change that all are to have.
        count: Number of edits.
        most: Largest strength, which an edit gets that changes its image less than is wanted.
    """
    strengths = torch.ones(count)
    for _ in range(CORRECTIONS):
        strengths = (strengths * (wanted / change_at(strengths)) ** (1 / GROWTH)).clamp(max=most)
    return strengths
