"""Quality presets of inversion, the values of `--quality`; imports no PyTorch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from latentloop.inversion.beyond_config import REFINE_STEPS, Refine
from latentloop.inversion.prior_config import PriorConfig

Quality = Literal["instant", "balanced", "best"]
FULL_RUN = 50
"""Number of steps, from a near code, for which the presets' step sizes were tuned."""


@dataclass(frozen=True)
class Preset:
    """Values for options that are not given."""

    steps: int
    lr: float
    plain_lr: float
    """Step size without the generator's perceptual metric."""
    largest_lr: float | None = None
    """Upper bound on the step size of shorter runs; None gives all runs the same step size."""
    ramp_up: float = 0.0
    refine: Refine = "none"
    refine_steps: int = REFINE_STEPS
    lambda_identity: float = 0.0
    prior: PriorConfig = PriorConfig()
    quick: bool = False
    """True takes the steps on the 256-pixel generator of the same latent space, if there is one."""
    shows_start: bool = True
    """True also draws and measures the one-pass reconstruction."""

    def suited(self, *, metric: bool, faces: bool) -> "Preset":
        """Adapt the values to a generator.

        Args:
            metric: The iterator uses the generator's perceptual metric.
            faces: The generator draws faces, whose identity can be compared.
        """
        suited = self if metric else replace(self, lr=self.plain_lr, largest_lr=None)
        return replace(suited, lambda_identity=self.lambda_identity if faces else 0.0)

    def lr_for(self, steps: int) -> float:
        """Return the step size of a run: shorter ones take larger steps, up to `largest_lr`."""
        if self.largest_lr is None or not 0 < steps < FULL_RUN:
            return self.lr
        # Steps of fixed length reach as far as the root of their number: this keeps the reach of a full run.
        return min(self.lr * math.sqrt(FULL_RUN / steps), self.largest_lr)


ONE_PASS = Preset(steps=0, lr=0.08, plain_lr=0.08)
"""Preset of one pass: the network's code unchanged."""
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
    "instant": replace(_NEAR, steps=8, lr=0.08, plain_lr=0.04, ramp_up=0.2, quick=True, shows_start=False),
    "balanced": replace(_NEAR, steps=12, refine="features"),
    "best": replace(_NEAR, refine="features"),
}
"""Presets for starts specific to the photo: the network's or an earlier code.

Few, small steps that leave codes easy to edit; a warm-up keeps the loss from rising at first. More steps in the code
would gain less closeness than steps beyond the code, and would cost editability."""
PREDICTED: Mapping[Quality, Preset] = {
    "instant": replace(_NEAR, steps=0, refine="features", refine_steps=0, shows_start=False),
    "balanced": replace(NEAR["balanced"], refine_steps=12),
}
"""Presets in place of `NEAR` where a network predicts the refinement, from which fewer steps come as close."""
FAR: Mapping[Quality, Preset] = {
    "instant": replace(_FAR, steps=30, quick=True),
    "balanced": _FAR,
    "best": replace(_FAR, steps=300, refine="features"),
}
"""Presets for starts that are not specific to the photo, such as the mean latent."""


def preset_of(quality: Quality, *, near: bool, predicted: bool = False) -> Preset:
    """Look up a quality's preset.

    Args:
        quality: Name of the quality.
        near: The start is a code specific to the photo.
        predicted: A network predicts the refinement.

    Raises:
        ValueError: The name is unknown.
    """
    if quality not in NEAR:
        raise ValueError(f"quality must be one of {', '.join(NEAR)}, got {quality}")
    if near and predicted and quality in PREDICTED:
        return PREDICTED[quality]
    return (NEAR if near else FAR)[quality]
