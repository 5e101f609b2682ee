"""Options of the benchmark of edits; imports no PyTorch."""

import math
from dataclasses import dataclass

from latentloop.common import Common
from latentloop.defaults import Precision
from latentloop.embedding.options import OPEN_PRIOR, EmbedOptions, FaceOptions, SearchOptions, StepOptions
from latentloop.embedding.quality import Quality
from latentloop.inversion.beyond_config import BeyondConfig, Refine
from latentloop.inversion.prior_config import PriorConfig
from latentloop.losses.config import LossConfig
from latentloop.stamps import left_out_at, stamped_as

MOST = 4.0
"""Largest strength that an edit may have to change its image as much as requested."""


@dataclass(frozen=True)
class EditabilityOptions:
    """Codes whose edits are measured, and the edits."""

    steps: tuple[int, ...] = stamped_as("code_sha256", default=(0, 25, 50, 100))
    """Numbers of steps of the iterator, one row of the table each. 0: only the network's pass."""
    directions: tuple[str, ...] = stamped_as("changes_sha256", default=("smile", "age", "yaw"))
    """Directions of the edits, each used both ways: bundled ones, or FILE:NAME."""
    strength: float = 1.0
    """Strength of the edits that are drawn, embedded and undone."""
    change: float = 0.05
    """LPIPS between the unedited and the edited reconstruction, the same for all edits whose identity is measured."""
    samples: int = 10_000
    """Number of random codes that the styles are compared with."""
    common: Common = Common()
    embedder: str | None = stamped_as("embedder_sha256", default=None)
    """Embedding network of the first code and of the edited images, see latentloop embed. Default: the bundled one."""
    quality: Quality = stamped_as("code_sha256", default="balanced")
    """Step size, loss and generator of the iterator's steps, see latentloop embed."""
    refine: Refine = stamped_as("code_sha256", default="none")
    """Refinement beyond the code after each number of steps, see latentloop embed."""
    lr: float | None = SearchOptions.lr
    """Step size of the iterator, see latentloop embed."""
    looks: int = left_out_at(1, default=SearchOptions.looks)
    """Passes of the network over a photo, 1 or 2."""
    precision: Precision = SearchOptions.precision
    """Precision of the generator in the iterator; metrics are computed in float32."""
    step: StepOptions = StepOptions()
    loss: LossConfig = LossConfig(lambda_identity=None)
    prior: PriorConfig = OPEN_PRIOR
    faces: FaceOptions = FaceOptions()

    def __post_init__(self) -> None:
        if not self.steps or len(set(self.steps)) < len(self.steps):
            raise ValueError("name at least one number of steps, each only once")
        if not self.directions:
            raise ValueError("name at least one direction")
        if not (math.isfinite(self.strength) and self.strength > 0 and 0 < self.change < 1):
            raise ValueError("strength must be above 0, and change between 0 and 1")
        if self.samples < 2:
            raise ValueError(f"samples must be 2 or more, got {self.samples}")
        for steps in self.steps:
            self.embedding(steps)

    def embedding(self, steps: int) -> EmbedOptions:
        """Return the options of embedding with a number of steps."""
        search = SearchOptions(self.embedder, self.quality, steps, self.lr, self.precision, self.looks)
        beyond = BeyondConfig(self.refine if steps else "none")
        return EmbedOptions(
            self.common, "auto", search, self.step, self.loss, self.prior, beyond=beyond, faces=self.faces
        )
