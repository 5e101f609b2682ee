"""A mask of where an edit changed a face."""

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.images import resample

SIZE = 128
"""Pixels of the side at which faces are compared."""
NONE, FULL = 0.05, 0.15
"""Colour differences, in units of [-1, 1], up to which a pixel is unchanged and from which it is changed in full."""
REACH, SOFT = 9, 17
"""Pixels, odd, by which the changed region is widened, and over which its edge is softened; of `SIZE`."""


@torch.inference_mode()
def changed(before: Tensor, after: Tensor) -> Tensor:
    """Compute a soft mask of where an edit changed a face, (1, 1, 128, 128): 1 where it changed, 0 where it did not.

    Args:
        before: Image of the code before the edit, (1, 3, S, S) in [-1, 1].
        after: Image of the edited code, of the same shape and range.
    """
    difference = (resample(after, SIZE) - resample(before, SIZE)).abs().mean(dim=1, keepdim=True)
    smooth = F.avg_pool2d(difference, 5, stride=1, padding=2, count_include_pad=False)
    share = ((smooth - NONE) / (FULL - NONE)).clamp(0, 1)
    wide = F.max_pool2d(share, REACH, stride=1, padding=REACH // 2)
    soft = F.avg_pool2d(wide, SOFT, stride=1, padding=SOFT // 2, count_include_pad=False)
    return soft * soft * (3 - 2 * soft)
