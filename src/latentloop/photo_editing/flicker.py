"""How much the face in an edited video flickers."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.features.lpips import Lpips
from latentloop.photo_editing.smoothing import jitter

PAIRS = 20
"""Most pairs of neighbouring frames that are looked at."""


@dataclass(frozen=True)
class Flicker:
    """Lower is steadier."""

    jitter: float
    """Mean norm of the codes' second differences, in units of W."""
    lpips: float
    """Mean LPIPS (alex) of a frame's face and the next one's; of a face that moves, motion is in it."""


@torch.inference_mode()
def measure_flicker(codes: Tensor, draw: Callable[[Tensor], Tensor], lpips: Lpips) -> Flicker:
    """Measure the codes of a video's frames.

    Args:
        codes: (F, num_ws, w_dim).
        draw: Draws codes as images (N, 3, S, S).
        lpips: Compares images.
    """
    neighbours = len(codes) - 1
    starts = torch.linspace(0, max(neighbours - 1, 0), min(PAIRS, neighbours)).round().long().tolist()
    distances = [float(lpips(draw(codes[i : i + 1]), draw(codes[i + 1 : i + 2]))) for i in starts]
    return Flicker(jitter(codes), sum(distances) / max(len(distances), 1))
