"""Masks of the regions that an edit has changed."""

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.faces.config import CHANGE_SIZE as SIZE
from latentloop.faces.config import FULL, NONE, REACH, SOFT
from latentloop.images import resample


@torch.inference_mode()
def changed(before: Tensor, after: Tensor) -> Tensor:
    """Compute a soft mask of the changed region of a face, (1, 1, 128, 128), from 0 (unchanged) to 1 (changed).

    Args:
        before: Image of the code before the edit, (1, 3, S, S) in [-1, 1].
        after: Image of the edited code, of the same shape and range.
    """
    difference = (resample(after, SIZE) - resample(before, SIZE)).abs().mean(dim=1, keepdim=True)
    smooth = F.avg_pool2d(difference, 5, stride=1, padding=2, count_include_pad=False)
    share = ((smooth - NONE) / (FULL - NONE)).clamp(0, 1)
    # Widened and softened, so that the blend's edge lies in unchanged pixels.
    wide = F.max_pool2d(share, REACH, stride=1, padding=REACH // 2)
    soft = F.avg_pool2d(wide, SOFT, stride=1, padding=SOFT // 2, count_include_pad=False)
    return soft * soft * (3 - 2 * soft)
