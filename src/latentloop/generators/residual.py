"""Residuals: what the features of one photo have beyond its code, and fade where an edit changes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.generators.midway import Seamed

FADE = 0.6
"""Relative change of the features at which a residual is 1/e of itself.

Measured at 64 pixels of `mobile-ffhq-1024`: a smile of 1.5 changes half of all places by less than .26, where 83 % of a
residual are left, and the mouth by more than 1, where 6 % are left and no ghost of the old mouth shows."""
SMALLEST = 1e-8
"""Least size of features that changes are divided by."""


@dataclass(frozen=True)
class Residual:
    """A change of a generator's features at one of its seams, found with one code."""

    seam: int
    """The seam, a key of `Seamed.seams`."""
    features: Tensor
    """What is added to the features there, (C, H, W)."""
    pivot: Tensor
    """The code that it was found with, (num_ws, w_dim)."""


@dataclass(frozen=True)
class ResidualDraw:
    """A function that draws codes with residuals, all at one seam, as `Generator.synthesis` does."""

    synthesis: Seamed
    """Synthesis network that draws."""
    residuals: Sequence[Residual]
    """The residuals, one at least; each fades by the way to its own pivot."""
    like: Tensor
    """A tensor of the device and type that the network takes codes in."""

    def __call__(self, w_plus: Tensor, /, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R), about [-1, 1]."""
        midway = self.synthesis.begin(w_plus, self.residuals[0].seam)
        features = midway.features
        for residual, of_pivot in zip(self.residuals, self._of_pivots, strict=True):
            added = residual.features[None].to(features, memory_format=torch.channels_last)
            features = features + fade(midway.features, of_pivot) * added
        return self.synthesis.finish(replace(midway, features=features), w_plus, resolution=resolution)

    @cached_property
    @torch.no_grad()
    def _of_pivots(self) -> list[Tensor]:
        """What the network itself has at the seam for each pivot, (1, C, H, W)."""
        return [self.synthesis.begin(one.pivot[None].to(self.like), one.seam).features for one in self.residuals]


def fade(features: Tensor, of_pivot: Tensor) -> Tensor:
    """Compute what is left of a residual at each place of a code's features, (N, 1, H, W), from 1 down to 0.

    It is exp(-(d / `FADE`)^2), where d is the norm of the features' change over that of the pivot's features, averaged
    over 3 x 3 places. At the pivot itself it is 1, to the bit.

    Args:
        features: Features of codes, (N, C, H, W).
        of_pivot: Features of the code that the residual was found with, (1, C, H, W).
    """
    # Norms rather than roots of means: their gradient is 0, not NaN, where nothing changes.
    size = torch.linalg.vector_norm(of_pivot, dim=1, keepdim=True).clamp_min(SMALLEST)
    change = torch.linalg.vector_norm(features - of_pivot, dim=1, keepdim=True) / size
    near = F.avg_pool2d(change, 3, stride=1, padding=1, count_include_pad=False)
    return torch.exp(-((near / FADE) ** 2))
