"""Settings of training; kept apart so that reading them needs no PyTorch."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class DistillConfig:
    """How a smaller generator learns to draw what a larger one draws."""

    steps: int = 40_000
    """Adam steps, rounded up to whole pools."""
    batch: int = 4
    """Images a step."""
    pool: int = 256
    """Images that the teacher draws at a time; progress is saved after each pool."""
    pool_photos: int = 8
    """Photos a pool, if any are given, that the iterator runs towards on the student."""
    photo_steps: int = 96
    """Its steps."""
    photo_codes: int = 16
    """Codes a photo, of all that it passes through, that are in the pool; random ones fill it up."""
    repeats: int = 2
    """Times that each of them is learned from: the teacher's drawing is a good part of the work."""
    lr: float = 2e-3
    """Adam's largest step size for the head; it falls to 0 along a cosine."""
    trunk_lr: float = 5e-4
    """The same for the blocks that the student took over from its teacher."""
    trained_blocks: int = 3
    """How many of those learn, last ones first."""
    lambda_lpips: float = 0.5
    """Weight of LPIPS beside the mean absolute error."""
    average: float = 0.999
    """What a step keeps of the running mean of the weights, which is the result."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of drawing; bfloat16 is faster where the processor has it."""

    def __post_init__(self) -> None:
        for name in ("batch", "repeats", "trained_blocks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if not 0 < self.pool_photos * self.photo_codes <= self.pool or self.photo_codes > self.photo_steps:
            raise ValueError(
                f"pool_photos * photo_codes must be from 1 to pool, got {self.pool_photos} * {self.photo_codes}"
            )
        if self.steps < 0:
            raise ValueError(f"steps must be 0 or more, got {self.steps}")
        if self.pool < self.batch or self.pool % self.batch:
            raise ValueError(f"pool must be a multiple of batch, got {self.pool} and {self.batch}")
        for name in ("lr", "trunk_lr", "lambda_lpips"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be from 0 to below 1, got {self.average}")

    @property
    def steps_per_pool(self) -> int:
        """Steps between two checkpoints."""
        return self.pool * self.repeats // self.batch
