"""Settings of refinements beyond W+; a module of its own, so that reading them needs no PyTorch."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from latentloop.errors import UserError
from latentloop.options import check_choices
from latentloop.stamps import left_out_at

Refine = Literal["none", "features", "weights"]
REFINE_STEPS = 30
"""Default number of refinement steps."""


@dataclass(frozen=True)
class BeyondConfig:
    """Settings of the refinement of a photo beyond its code: of the generator's features or of its weights."""

    refine: Refine | None = left_out_at("none", default=None)
    """Refinement beyond the code, for what no code can draw, such as a headscarf, an earring or the exact person. It is
    stored with the code, and edits keep it. features: a change of the generator's features at 64 x 64 (4 MB), which
    gives the better results; for the bundled generator a network predicts it, and the steps go on from there. weights:
    low-rank changes of all convolutions, as in PTI (0.1 MB). none: the code alone. Default: by quality."""
    refine_steps: int | None = left_out_at(0, default=None)
    """Steps of the refinement; with features, 0 leaves the network's prediction. Default: by quality."""
    lambda_local: float = left_out_at(0.0, default=0.0)
    """Weight of PTI's locality term, which keeps the images of neighbouring codes as they are; for weights only."""

    def __post_init__(self) -> None:
        check_choices(self)
        if self.refine_steps is not None and self.refine_steps < 0:
            raise ValueError(f"refine_steps must be 0 or more, got {self.refine_steps}")
        if not (math.isfinite(self.lambda_local) and self.lambda_local >= 0):
            raise ValueError(f"lambda_local must be 0 or more, got {self.lambda_local}")
        if self.lambda_local and self.refine != "weights":
            raise ValueError(f"lambda_local needs refine = weights, got {self.refine}")

    def filled(self, refine: Refine, steps: int = REFINE_STEPS) -> "BeyondConfig":
        """Copy the settings with what is unset filled in.

        Args:
            refine: Kind of refinement.
            steps: Number of its steps.

        Raises:
            UserError: Steps are set, but no refinement.
        """
        filled = replace(self, refine=refine if self.refine is None else self.refine)
        if filled.refine == "none" and self.refine_steps:
            raise UserError("steps need a refinement: features or weights", arguments=("refine", "refine_steps"))
        given = steps if self.refine_steps is None else self.refine_steps
        return replace(filled, refine_steps=0 if filled.refine == "none" else given)

    @property
    def steps(self) -> int:
        """Number of steps that will be taken; 0 without a refinement."""
        if self.refine in (None, "none"):
            return 0
        return REFINE_STEPS if self.refine_steps is None else self.refine_steps
