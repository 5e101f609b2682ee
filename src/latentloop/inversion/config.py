"""Settings of the iterator; kept apart so that reading them needs no PyTorch."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from latentloop.optim.names import OptimizerName, check_optimizer

Space = Literal["w", "w+"]
FULL_STEPS = 100
"""Of Muon; in a longer run they are smaller."""
GOOD_START = 0.5
"""Share of the step size for a start that is near already."""
POLISH = 0.5
"""Share of the step size that steps on another generator begin with."""


@dataclass(frozen=True)
class IteratorConfig:
    """How far and how fast the optimization iterator refines a code."""

    steps: int = 100
    """Of the optimizer; 0 returns the start unchanged."""
    optimizer: OptimizerName = "muon"
    """What takes the steps: Muon, whose steps change all directions of a code alike and lead closer in as many, or
    Adam, as in the papers (lr 0.1 with ramp_down 0.3 suits it). In space w it is Adam."""
    lr: float = 0.08
    """Largest step size, about the root mean square of a number's change, in units of W. In a run of n > 100 steps Muon
    takes sqrt(100 / n) of it: together its steps go as far as the root of their number, and would lose their way."""
    ramp_up: float = 0.0
    """Share of the steps in which the step size grows from 0."""
    ramp_down: float = 1.0
    """Share of the steps, at the end, in which it falls to 0 along a cosine."""
    space: Space = "w+"
    """w: one style for all layers, easier to edit; w+: one style a layer, closer to the photo."""
    patience: int = 0
    """Leave an image alone once this many steps brought no better loss; 0 never does."""

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"steps must be 0 or more, got {self.steps}")
        check_optimizer("optimizer", self.optimizer)
        if not 0 < self.lr <= 100:
            raise ValueError(f"lr must be above 0 and at most 100, got {self.lr}")
        if not (0 <= self.ramp_up <= 1 and 0 <= self.ramp_down <= 1):
            raise ValueError(f"ramps are shares from 0 to 1, got ramp_up {self.ramp_up}, ramp_down {self.ramp_down}")
        if self.patience < 0:
            raise ValueError(f"patience must be 0 or more, got {self.patience}")

    @property
    def takes_matrices(self) -> bool:
        """Whether the optimizer is Muon, for which an image's styles are a matrix; one style alone is none."""
        return self.optimizer == "muon" and self.space == "w+"

    @property
    def largest_step(self) -> float:
        """Step size before the ramps, in units of W."""
        return self.lr * math.sqrt(FULL_STEPS / max(self.steps, FULL_STEPS)) if self.takes_matrices else self.lr

    def from_good_start(self) -> "IteratorConfig":
        """Settings for a start that is near already, such as a network's code: smaller steps."""
        return replace(self, lr=GOOD_START * self.lr)

    def polish(self, steps: int) -> "IteratorConfig":
        """Settings for a few steps on another generator, at the end: small ones, that fall to 0 all along."""
        return replace(self, steps=steps, lr=POLISH * self.lr, ramp_up=0.0, ramp_down=1.0)
