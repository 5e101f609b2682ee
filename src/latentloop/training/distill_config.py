"""Settings of distilling a generator; imports no PyTorch."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class DistillConfig:
    """Settings of the distillation of a generator into a smaller one."""

    steps: int = 40_000
    """Adam steps, rounded up to whole pools; the step-size schedule covers all of them, so a run cannot be made
    longer."""
    batch: int = 4
    """Number of images per training step."""
    pool: int = 256
    """Images that the teacher draws at a time; progress is saved after each pool."""
    pool_photos: int = 8
    """Photos per pool, if any are given, that the iterator runs towards on the student; times photo_codes, at most the
    pool."""
    photo_steps: int = 96
    """Steps of the iterator towards a photo."""
    photo_codes: int = 16
    """Codes per photo in the pool, from the iterator's path; random codes fill the rest."""
    repeats: int = 2
    """Number of times that each image of a pool is learned from; drawing it takes a good part of the time."""
    lr: float = 2e-3
    """Adam's largest step size for the head; it falls to 0 along a cosine."""
    trunk_lr: float = 5e-4
    """Adam's largest step size for the blocks taken over from the teacher."""
    trained_blocks: int = 3
    """Number of blocks taken over from the teacher that are trained, counted from the last."""
    lambda_lpips: float = 0.5
    """Weight of LPIPS beside the mean absolute error."""
    average: float = 0.999
    """Decay of the running mean of the weights, which is the result."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of image synthesis; bfloat16 is faster if the processor supports it."""

    def check_photos(self) -> None:
        """Check that the photos' codes fit into a pool.

        Raises:
            ValueError: They do not.
        """
        wanted = self.pool_photos * self.photo_codes
        if wanted > self.pool:
            got = f"{self.pool_photos} * {self.photo_codes} = {wanted} and {self.pool}"
            raise ValueError(f"pool_photos * photo_codes must be at most pool, got {got}")

    def __post_init__(self) -> None:
        for name in ("batch", "repeats", "trained_blocks", "pool_photos"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if not 0 < self.photo_codes <= self.photo_steps:
            raise ValueError(f"photo_codes must be from 1 to photo_steps, got {self.photo_codes}")
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
        """Number of steps between two checkpoints."""
        return self.pool * self.repeats // self.batch
