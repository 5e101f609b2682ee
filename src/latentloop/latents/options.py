"""Options of `latentloop generate`; a module of its own, so that reading them needs no PyTorch."""

import math
from dataclasses import dataclass

from latentloop.common import Common
from latentloop.defaults import NoiseMode


@dataclass(frozen=True)
class SampleOptions:
    """Options of drawing random images."""

    common: Common = Common()
    """Options that many commands share."""
    count: int = 8
    """Number of images to draw."""
    truncation_psi: float = 0.7
    """Truncation, from 1 (all of W) to 0 (the mean image). Lower values give less variety and fewer artefacts."""
    truncation_cutoff: int | None = None
    """Number of layers to truncate, coarsest first. Default: all."""
    label: int | None = None
    """Class of all images, for a conditional generator. Default: a random class for each image."""
    noise: NoiseMode = "const"
    """Noise maps of StyleGAN 1 and 2, which shape hairs and pores. const: those in the generator's file. random: new
    ones for each image. none: no noise."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be 1 or more, got {self.count}")
        if not math.isfinite(self.truncation_psi):
            raise ValueError(f"truncation_psi must be finite, got {self.truncation_psi}")
        if self.truncation_cutoff is not None and self.truncation_cutoff < 0:
            raise ValueError(f"truncation_cutoff must be 0 or more, got {self.truncation_cutoff}")
