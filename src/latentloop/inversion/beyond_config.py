"""Settings of refinements beyond W+; kept apart so that reading them needs no PyTorch."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from latentloop.errors import UserError
from latentloop.options import check_choices
from latentloop.stamps import left_out_at

Refine = Literal["none", "features", "weights"]
REFINE_STEPS = 30
"""Default number of steps."""


@dataclass(frozen=True)
class BeyondConfig:
    """Settings of what a photo gets beyond its code: a change of the generator's features, or of its weights."""

    refine: Refine | None = left_out_at("none", default=None)
    """Refinement beyond the code, for what no code draws: a headscarf, an earring, the very person. It is kept beside
    the code, and edits draw with it. features: a change of the generator's features at 64 x 64, which is the better
    one; 4 MB. weights: small changes of all convolutions (as PTI); 0.1 MB. none: the code alone. Default: by
    quality."""
    refine_steps: int | None = left_out_at(0, default=None)
    """Steps of the refinement. Default: 30."""
    lambda_local: float = left_out_at(0.0, default=0.0)
    """Weight of a term that keeps images of other codes near the photo's as they are, as in PTI; for weights alone."""

    def __post_init__(self) -> None:
        check_choices(self)
        if self.refine_steps is not None and self.refine_steps < 0:
            raise ValueError(f"refine_steps must be 0 or more, got {self.refine_steps}")
        if not (math.isfinite(self.lambda_local) and self.lambda_local >= 0):
            raise ValueError(f"lambda_local must be 0 or more, got {self.lambda_local}")
        if self.lambda_local and self.refine != "weights":
            raise ValueError("lambda_local is for refine weights alone; name that, too")

    def filled(self, refine: Refine) -> "BeyondConfig":
        """Copy the settings with a refinement for one that is left open, and the steps that are then taken.

        Raises:
            UserError: There are steps, but no refinement to take them.
        """
        filled = replace(self, refine=refine if self.refine is None else self.refine)
        if filled.refine == "none" and self.refine_steps:
            raise UserError("steps of a refinement, but which one? Name it", arguments=("refine", "refine_steps"))
        return replace(filled, refine_steps=filled.steps)

    @property
    def steps(self) -> int:
        """Number of steps that are taken."""
        if self.refine in (None, "none"):
            return 0
        return REFINE_STEPS if self.refine_steps is None else self.refine_steps
