"""Settings of the training of an embedding network; reading them needs no PyTorch."""

import math
from dataclasses import dataclass
from typing import Literal

from latentloop.optim.names import OptimizerName, check_optimizer
from latentloop.stamps import left_out_at

PhotosIn = Literal["memory", "device", "disk"]
"""Places where decoded photos can be kept; on the disk, they stay files."""
MOST = 3.0
"""Largest strength of changes of photos, in the usual ones."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings of the embedding network's training."""

    steps: int = 20_000
    """Optimizer steps of the whole run."""
    minutes: float | None = left_out_at(None, default=None)
    """Minutes after which the run ends, if it has not taken all its steps by then, those before a pause included. The
    step size falls by the steps or by the time, whichever is nearer to its end."""
    batch: int = 8
    """Images per step, over all processes."""
    synthetic: float = 0.5
    """Share of the images that the generator drew of known codes; without photos it is 1."""
    repeats: int = 1
    """Times that each image which the generator drew is learned from; drawing it is a good part of the work."""
    mirror: bool = False
    """Mirror half of the photos, at random: twice as many, where there are few. The cache takes a photo and its mirror
    image for two."""
    jitter: float = left_out_at(0.0, default=0.0)
    """Turn, scale and shift photos at random, as worse alignments would; 1 is up to 4 degrees, 5 % and 2.5 % of the
    side. Needs a run without a cache: the best code of a photo is not that of the photo moved."""
    relight: float = left_out_at(0.0, default=0.0)
    """Change brightness, contrast, midtones and white balance of photos at random; 1 is up to 15 %. Likewise."""
    weights: tuple[str, ...] = left_out_at((), default=())
    """How often photos are learned from, such as celeba=0.2 for a fifth of the usual: TEXT=WEIGHT for photos whose path
    contains the text, of several the last one counts. Soft photos make soft codes."""
    spoil: bool = True
    """Degrade some of the images that the generator drew as photos are: blur, noise, JPEG compression."""
    spoil_on_device: bool = left_out_at(False, default=False)
    """Degrade them all together on the device, which is far quicker on a GPU, if not on a CPU."""
    optimizer: OptimizerName = "muon"
    """Optimizer of the network. Muon, whose steps treat all directions of a weight matrix alike, needs fewer images.
    Adam wants a smaller lr, 2e-4 for a long run."""
    lr: float = 2e-3
    """Largest step size; it falls to 0 along a cosine."""
    ramp_down: float = left_out_at(1.0, default=1.0)
    """Share of the run, at the end, over which the step size falls. A network that is to learn on in another run wants
    less, such as 0.3."""
    warm_up: int = 100
    """Steps in which the step size grows to its largest."""
    clip: float = 1.0
    """Largest norm of the gradient of all weights together; a longer one is scaled down to it."""
    average: float = 0.999
    """Share of the running mean of the weights, which is the result, that a step keeps."""

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
            raise ValueError(f"a batch of 1 is synthetic or not: synthetic must be 0 or 1, got {self.synthetic}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be from 0 to below 1, got {self.average}")

    def _check_photos(self) -> None:
        for name in ("jitter", "relight"):
            if not 0 <= getattr(self, name) <= MOST:
                raise ValueError(f"{name} must be from 0 to {MOST:g}, got {getattr(self, name)}")
        _ = self.photo_weights

    @property
    def photo_weights(self) -> dict[str, float]:
        """Weights of photos by a text in their paths."""
        weights: dict[str, float] = {}
        for given in self.weights:
            text, _, weight = given.rpartition("=")
            try:
                weights[text] = float(weight)
            except ValueError:
                weights[text] = math.nan
            if not (text and math.isfinite(weights[text]) and weights[text] >= 0):
                raise ValueError(f"weights are such as celeba=0.2, got {given!r}")
        return weights

    @property
    def synthetic_images(self) -> int:
        """Images per step that the generator drew: there is at least one of both kinds, unless the share is 0 or 1."""
        whole = round(self.batch * self.synthetic)
        return whole if self.synthetic in (0, 1) else min(max(whole, 1), self.batch - 1)
