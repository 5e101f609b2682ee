"""Settings of the iterator; a module of its own, so that reading them needs no PyTorch."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from latentloop.optim.names import OptimizerName, check_optimizer
from latentloop.options import check_choices, is_finite, is_whole

Space = Literal["w", "w+"]
FULL_STEPS = 100
"""Longest run, in steps, with Muon's full step size."""

UNDOING = 50
"""Shortest run, in steps, in which bad steps are undone. Large first steps often overshoot and pay off soon after, and
a shorter run cannot make up for the cost of an undone step."""


@dataclass(frozen=True)
class IteratorConfig:
    """Settings of the optimization iterator: how far and how fast it refines a code."""

    steps: int = 100
    """Number of optimizer steps; 0 returns the start unchanged."""
    optimizer: OptimizerName = "muon"
    """muon: changes all directions of a code equally, and comes closer in the same number of steps. adam: the optimizer
    of the papers (lr 0.1 with ramp_down 0.3 suits it). In space w, Adam is always used."""
    lr: float = 0.08
    """Largest step size in units of W: about the root mean square change of a code's numbers in a step. Beyond 100
    steps Muon's step size is scaled by sqrt(100 / n): its steps have a fixed length, so longer runs would otherwise
    wander off."""
    ramp_up: float = 0.0
    """Share of the steps, at the beginning, over which the step size grows from 0."""
    ramp_down: float = 1.0
    """Share of the steps, at the end, over which the step size falls to 0 along a cosine."""
    space: Space = "w+"
    """w: one style for all layers, easier to edit. w+: one style per layer, closer to the photo."""
    patience: int = 0
    """Stop refining an image after this many steps without a better loss; 0 never stops early."""

    def __post_init__(self) -> None:
        if not is_whole(self.steps) or self.steps < 0:
            raise ValueError(f"steps must be 0 or more, got {self.steps}")
        check_optimizer("optimizer", self.optimizer)
        check_choices(self)
        # Far above any sensible step in units of W: catches mistyped values.
        if not is_finite(self.lr) or not 0 < self.lr <= 100:
            raise ValueError(f"lr must be above 0 and at most 100, got {self.lr}")
        if not all(is_finite(ramp) and 0 <= ramp <= 1 for ramp in (self.ramp_up, self.ramp_down)):
            raise ValueError(f"ramp_up and ramp_down must be from 0 to 1, got {self.ramp_up} and {self.ramp_down}")
        if not is_whole(self.patience) or self.patience < 0:
            raise ValueError(f"patience must be 0 or more, got {self.patience}")

    @property
    def undoes(self) -> bool:
        """Whether steps that leave an image worse than its start are undone: in longer runs with a ramp-up."""
        return self.ramp_up > 0 and self.steps >= UNDOING

    @property
    def takes_matrices(self) -> bool:
        """Whether Muon takes the steps; it needs a matrix of styles, and space w has a single vector."""
        return self.optimizer == "muon" and self.space == "w+"

    @property
    def largest_step(self) -> float:
        """Step size before the ramps, in units of W."""
        return self.lr * math.sqrt(FULL_STEPS / max(self.steps, FULL_STEPS)) if self.takes_matrices else self.lr

    def polish(self, steps: int) -> "IteratorConfig":
        """Return the settings for some last steps on another generator, with a step size that only falls."""
        return replace(self, steps=steps, ramp_up=0.0, ramp_down=1.0)
