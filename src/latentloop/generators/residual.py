"""Feature residuals of one photo, which are added at a seam and fade where an edit changes the features."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.generators.midway import Seamed

FADE = 0.6
"""Relative change of the features at which a residual has faded to 1/e.

Measured at 64 pixels of `mobile-ffhq-1024`: a smile of 1.5 changes half of all places by less than .26, where 83 % of
the residual remain, and the mouth by more than 1, where 6 % remain and no ghost of the old mouth is visible."""
SMALLEST = 1e-8
"""Lower bound on the norm of features, against division by zero."""


@dataclass(frozen=True)
class Residual:
    """A change of a generator's features at one of its seams, optimized for one code."""

    seam: int
    """Seam at which the change is added, a key of `Seamed.seams`."""
    features: Tensor
    """Change of the features, (C, H, W)."""
    pivot: Tensor
    """Code for which the change was optimized, (num_ws, w_dim)."""


@dataclass(frozen=True)
class ResidualDraw:
    """Synthesis with residuals added at one seam; callable like `Generator.synthesis`."""

    synthesis: Seamed
    """Synthesis network that draws."""
    residuals: Sequence[Residual]
    """Residuals, at least one, all at one seam; each fades with the distance from its own pivot."""
    like: Tensor
    """A tensor with the device and type of the network's codes."""

    def __call__(self, w_plus: Tensor, /, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R), about [-1, 1]."""
        midway = self.synthesis.begin(w_plus, self.residuals[0].seam)
        features = midway.features
        for residual, of_pivot in zip(self.residuals, self._of_pivots, strict=True):
            # Channels-last, as the network's features are: mixed layouts would be copied in every convolution.
            added = residual.features[None].to(features, memory_format=torch.channels_last)
            features = features + fade(midway.features, of_pivot) * added
        return self.synthesis.finish(replace(midway, features=features), w_plus, resolution=resolution)

    @cached_property
    @torch.no_grad()
    def _of_pivots(self) -> list[Tensor]:
        """The network's own features at the seam for each pivot, (1, C, H, W)."""
        return [self.synthesis.begin(one.pivot[None].to(self.like), one.seam).features for one in self.residuals]


def fade(features: Tensor, of_pivot: Tensor) -> Tensor:
    """Compute the factor of a residual at each position, (N, 1, H, W), from 1 (features unchanged) down to 0.

    The factor is exp(-(d / `FADE`)^2), where d is the norm of the features' change divided by the norm of the pivot's
    features, averaged over 3 x 3 positions. At the pivot it is exactly 1.

    Args:
        features: Features of codes, (N, C, H, W).
        of_pivot: Features of the code for which the residual was optimized, (1, C, H, W).
    """
    # vector_norm instead of the root of a mean: its gradient is 0, not NaN, where nothing changes.
    size = torch.linalg.vector_norm(of_pivot, dim=1, keepdim=True).clamp_min(SMALLEST)
    change = torch.linalg.vector_norm(features - of_pivot, dim=1, keepdim=True) / size
    near = F.avg_pool2d(change, 3, stride=1, padding=1, count_include_pad=False)
    return torch.exp(-((near / FADE) ** 2))
