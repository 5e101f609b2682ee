"""Settings of the iterator; kept apart so that reading them needs no PyTorch."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from latentloop.optim.names import OptimizerName, check_optimizer
from latentloop.options import check_choices, is_finite, is_whole

Space = Literal["w", "w+"]
FULL_STEPS = 100
"""Longest run, in steps, that takes Muon's full step size."""

UNDOING = 50
"""Shortest run, in steps, in which steps are undone. Large first steps often overshoot and are soon the better for it;
shorter runs cannot catch up with what an undone step costs."""


@dataclass(frozen=True)
class IteratorConfig:
    """Settings of the optimization iterator: how far and how fast it refines a code."""

    steps: int = 100
    """Number of optimizer steps; 0 returns the start unchanged."""
    optimizer: OptimizerName = "muon"
    """Muon changes all directions of a code alike and comes closer in the same number of steps; Adam is the papers'
    optimizer (lr 0.1 with ramp_down 0.3 suits it). In space w Adam is used either way."""
    lr: float = 0.08
    """Largest step size in units of W, about the root mean square of a number's change. Beyond 100 steps Muon's is
    scaled by sqrt(100 / n): its steps have a fixed length, so longer runs would otherwise wander off."""
    ramp_up: float = 0.0
    """Share of the steps, at the beginning, over which the step size grows from 0."""
    ramp_down: float = 1.0
    """Share of the steps, at the end, over which the step size falls to 0 along a cosine."""
    space: Space = "w+"
    """w: one style for all layers, easier to edit; w+: one style a layer, closer to the photo."""
    patience: int = 0
    """Stop refining an image after this many steps without a better loss; 0 never stops early."""

    def __post_init__(self) -> None:
        if not is_whole(self.steps) or self.steps < 0:
            raise ValueError(f"steps must be 0 or more, got {self.steps}")
        check_optimizer("optimizer", self.optimizer)
        check_choices(self)
        if not is_finite(self.lr) or not 0 < self.lr <= 100:
            raise ValueError(f"lr must be above 0 and at most 100, got {self.lr}")
        if not all(is_finite(ramp) and 0 <= ramp <= 1 for ramp in (self.ramp_up, self.ramp_down)):
            raise ValueError(f"ramps are shares from 0 to 1, got ramp_up {self.ramp_up}, ramp_down {self.ramp_down}")
        if not is_whole(self.patience) or self.patience < 0:
            raise ValueError(f"patience must be 0 or more, got {self.patience}")

    @property
    def undoes(self) -> bool:
        """Return whether a step that leaves an image worse than its start is undone: where steps grow from 0."""
        return self.ramp_up > 0 and self.steps >= UNDOING

    @property
    def takes_matrices(self) -> bool:
        """Return whether Muon takes the steps: it needs a matrix of styles, and space w has a single vector."""
        return self.optimizer == "muon" and self.space == "w+"

    @property
    def largest_step(self) -> float:
        """Step size before the ramps, in units of W."""
        return self.lr * math.sqrt(FULL_STEPS / max(self.steps, FULL_STEPS)) if self.takes_matrices else self.lr

    def polish(self, steps: int) -> "IteratorConfig":
        """Adapt the settings to a few last steps on another generator: their size falls to 0 throughout."""
        return replace(self, steps=steps, ramp_up=0.0, ramp_down=1.0)
