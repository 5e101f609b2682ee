"""Qualities of inversion: what `--quality` stands for; kept apart so that reading it needs no PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from latentloop.inversion.prior_config import PriorConfig

Quality = Literal["instant", "balanced", "best"]


@dataclass(frozen=True)
class Preset:
    """Values of the options that are left open."""

    steps: int
    lr: float
    ramp_up: float = 0.0
    full_size_steps: int = 0
    lambda_identity: float = 0.0
    prior: PriorConfig = PriorConfig()
    quick: bool = False
    """Take the steps on a generator of the same latent space that draws 256 pixels, where there is one, and draw the
    result alone, without the one-pass reconstruction."""


ONE_PASS = Preset(steps=0, lr=0.08)
"""The network's code as it is."""
NEAR: Mapping[Quality, Preset] = {
    "instant": Preset(steps=4, lr=0.05, ramp_up=0.1, quick=True),
    "balanced": Preset(steps=50, lr=0.02, ramp_up=0.1),
    "best": Preset(steps=200, lr=0.02, ramp_up=0.1, full_size_steps=20),
}
"""From a network's or an earlier code: steps few and small enough to leave codes that edit well, which grow at first so
that the loss never rises."""
FAR: Mapping[Quality, Preset] = {
    "instant": Preset(steps=30, lr=0.08, quick=True),
    "balanced": Preset(steps=100, lr=0.08),
    "best": Preset(steps=500, lr=0.08, full_size_steps=20),
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
