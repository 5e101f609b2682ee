"""Qualities of inversion: what `--quality` stands for; kept apart so that reading it needs no PyTorch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from latentloop.inversion.beyond_config import Refine
from latentloop.inversion.prior_config import PriorConfig

Quality = Literal["instant", "balanced", "best"]
FULL_RUN = 50
"""Steps of a run from a near code for which the step sizes are meant."""


@dataclass(frozen=True)
class Preset:
    """Values of the options that are left open."""

    steps: int
    lr: float
    plain_lr: float
    """Step size without the generator's perceptual metric."""
    largest_lr: float | None = None
    """Step size that shorter runs may grow to; None: they take the same."""
    ramp_up: float = 0.0
    refine: Refine = "none"
    lambda_identity: float = 0.0
    prior: PriorConfig = PriorConfig()
    quick: bool = False
    """Take the steps on a generator of the same latent space that draws 256 pixels, where there is one, and draw the
    result alone, without the one-pass reconstruction."""

    def suited(self, *, metric: bool, faces: bool, seams: bool = True) -> "Preset":
        """Adapt the values to a generator.

        Args:
            metric: The iterator takes the generator's perceptual metric.
            faces: The images are of faces, whose identity can be compared.
            seams: The generator has features that can be changed on the way; else the code alone takes all steps.
        """
        suited = self if metric else replace(self, lr=self.plain_lr, largest_lr=None)
        if self.refine == "features" and not seams:
            suited = replace(suited, refine="none", steps=max(self.steps, FULL_RUN))
        return replace(suited, lambda_identity=self.lambda_identity if faces else 0.0)

    def lr_for(self, steps: int) -> float:
        """Step size of a run: one that is shorter than `FULL_RUN` takes larger steps, by the root of the ratio."""
        if self.largest_lr is None or not 0 < steps < FULL_RUN:
            return self.lr
        return min(self.lr * math.sqrt(FULL_RUN / steps), self.largest_lr)


ONE_PASS = Preset(steps=0, lr=0.08, plain_lr=0.08)
"""The network's code as it is."""
_NEAR = Preset(
    steps=50,
    lr=0.06,
    plain_lr=0.02,
    largest_lr=0.085,
    ramp_up=0.1,
    lambda_identity=0.3,
    prior=PriorConfig(lambda_near=0.03),
)
_FAR = Preset(steps=100, lr=0.08, plain_lr=0.08, lambda_identity=0.3)
NEAR: Mapping[Quality, Preset] = {
    "instant": replace(_NEAR, steps=8, lr=0.08, plain_lr=0.04, ramp_up=0.2, quick=True),
    "balanced": replace(_NEAR, steps=12, refine="features"),
    "best": replace(_NEAR, refine="features"),
}
"""From a network's or an earlier code: steps few and small enough to leave codes that edit well, which grow at first so
that the loss seldom rises. More of them come less close than steps beyond the code, and leave codes that edit less
well."""
FAR: Mapping[Quality, Preset] = {
    "instant": replace(_FAR, steps=30, quick=True),
    "balanced": _FAR,
    "best": replace(_FAR, steps=300, refine="features"),
}
"""From a code that is not the photo's own, such as the mean latent."""


def preset_of(quality: Quality, *, near: bool) -> Preset:
    """Find what a quality stands for.

    Args:
        quality: Its name.
        near: The start is a code of the photo's own.

    Raises:
        ValueError: There is no such quality.
    """
    if quality not in NEAR:
        raise ValueError(f"quality must be one of {', '.join(NEAR)}, got {quality}")
    return (NEAR if near else FAR)[quality]
