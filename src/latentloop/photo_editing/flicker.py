"""Flicker of an edited video: how much the face changes between frames."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.features.lpips import Lpips
from latentloop.photo_editing.smoothing import jitter

PAIRS = 20
"""Largest number of pairs of neighbouring frames that are compared."""


@dataclass(frozen=True)
class Flicker:
    """Flicker of a video's face; lower is steadier."""

    jitter: float
    """Mean norm of the codes' second differences, in units of W."""
    lpips: float
    """Mean LPIPS (alex) between the faces of neighbouring frames; it includes the face's own motion."""


@torch.inference_mode()
def measure_flicker(codes: Tensor, draw: Callable[[int], Tensor], lpips: Lpips) -> Flicker:
    """Measure the flicker of a video's codes, on at most `PAIRS` pairs of neighbouring frames.

    Args:
        codes: Codes of all frames, (F, num_ws, w_dim).
        draw: Draws the code of a frame as an image (1, 3, S, S).
        lpips: Image distance.
    """
    neighbours = len(codes) - 1
    starts = torch.linspace(0, max(neighbours - 1, 0), min(PAIRS, neighbours)).round().long().tolist()
    distances = [float(lpips(draw(i), draw(i + 1))) for i in starts]
    return Flicker(jitter(codes), sum(distances) / max(len(distances), 1))
