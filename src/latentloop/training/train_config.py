"""Settings of training an embedding network; imports no PyTorch."""

import math
from dataclasses import dataclass
from typing import Literal

from latentloop.optim.names import OptimizerName, check_optimizer
from latentloop.stamps import left_out_at

PhotosIn = Literal["memory", "device", "disk"]
"""Places where decoded photos can be kept; "disk" decodes them each time."""
MOST = 3.0
"""Largest value of jitter and relight."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings of the embedding network's training."""

    steps: int = 20_000
    """Optimizer steps of the whole run."""
    minutes: float | None = left_out_at(None, default=None)
    """Minutes of training after which the run ends if it has steps left; pauses do not count. The step size then falls
    by steps or by time, whichever is further along."""
    batch: int = 8
    """Images per step, over all processes."""
    synthetic: float = 0.5
    """Share of generated images, whose codes are known; without photos it is 1."""
    repeats: int = 1
    """Number of times that each generated image is learned from; drawing it takes a good part of the time."""
    mirror: bool = False
    """Mirror half of the photos, at random, which doubles a small set. The cache treats a photo and its mirror image as
    two."""
    jitter: float = left_out_at(0.0, default=0.0)
    """Rotate, scale and shift photos at random, as worse alignments would; 1 is up to 4 degrees, 5 % and 2.5 % of the
    side. Needs a run without a cache: a photo's best code is not that of the moved photo."""
    relight: float = left_out_at(0.0, default=0.0)
    """Change brightness, contrast, midtones and white balance of photos at random; 1 is up to 15 %. Needs a run without
    a cache, too."""
    weights: tuple[str, ...] = left_out_at((), default=())
    """How often photos are learned from, such as celeba=0.2 for a fifth as often: TEXT=WEIGHT applies to photos whose
    path contains the text; the last match counts. Blurred photos teach blurred codes, so give them less weight."""
    spoil: bool = True
    """Degrade some of the generated images as photos are: blur, noise, JPEG compression."""
    spoil_on_device: bool = left_out_at(False, default=False)
    """Degrade them together on the device, which is much faster on a GPU, but not on a CPU."""
    optimizer: OptimizerName = "muon"
    """Optimizer of the network. Muon, whose steps have the same size in all directions of a weight matrix, needs fewer
    images. Adam needs a smaller lr, 2e-4 for a long run."""
    lr: float = 2e-3
    """Largest step size; it falls to 0 along a cosine."""
    ramp_down: float = left_out_at(1.0, default=1.0)
    """Share of the run, at the end, over which the step size falls. A network that another run continues needs less,
    such as 0.3."""
    warm_up: int = 100
    """Number of steps in which the step size grows to its largest."""
    clip: float = 1.0
    """Largest norm of the gradient over all weights; a longer one is scaled down to it."""
    average: float = 0.999
    """Decay of the running mean of the weights, which is the result."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        check_optimizer("optimizer", self.optimizer)
        if self.warm_up < 0:
            raise ValueError(f"warm_up must be 0 or more, got {self.warm_up}")
        for name in ("lr", "clip"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.minutes is not None and not (math.isfinite(self.minutes) and self.minutes > 0):
            raise ValueError(f"minutes must be above 0, got {self.minutes}")
        self._check_shares()
        self._check_photos()

    def _check_shares(self) -> None:
        if not 0 < self.ramp_down <= 1:
            raise ValueError(f"ramp_down must be above 0 and at most 1, got {self.ramp_down}")
        if not 0 <= self.synthetic <= 1:
            raise ValueError(f"synthetic must be from 0 to 1, got {self.synthetic}")
        if self.batch == 1 and 0 < self.synthetic < 1:
            raise ValueError(f"with a batch of 1 synthetic must be 0 or 1, got {self.synthetic}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be from 0 to below 1, got {self.average}")

    def _check_photos(self) -> None:
        for name in ("jitter", "relight"):
            if not 0 <= getattr(self, name) <= MOST:
                raise ValueError(f"{name} must be from 0 to {MOST:g}, got {getattr(self, name)}")
        _ = self.photo_weights

    @property
    def photo_weights(self) -> dict[str, float]:
        """Weights of photos by a text in their paths.

        Raises:
            ValueError: An entry of `weights` is not TEXT=WEIGHT.
        """
        weights: dict[str, float] = {}
        for given in self.weights:
            text, _, weight = given.rpartition("=")
            try:
                weights[text] = float(weight)
            except ValueError:
                weights[text] = math.nan
            if not (text and math.isfinite(weights[text]) and weights[text] >= 0):
                raise ValueError(f"weights must be TEXT=WEIGHT, such as celeba=0.2, got {given!r}")
        return weights

    @property
    def synthetic_images(self) -> int:
        """Number of generated images per step: at least one of each kind, unless the share is 0 or 1."""
        whole = round(self.batch * self.synthetic)
        return whole if self.synthetic in (0, 1) else min(max(whole, 1), self.batch - 1)
