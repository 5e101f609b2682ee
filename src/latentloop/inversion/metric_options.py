"""Options of estimating a generator's metric; a module of its own, so that reading them needs no PyTorch."""

from dataclasses import dataclass

from latentloop.defaults import Which
from latentloop.options import check_seed


@dataclass(frozen=True)
class MetricOptions:
    """Settings of the estimation of a generator's perceptual metric."""

    samples: int = 2000
    """Number of random codes; each takes one forward and backward pass, about as long as a step of the iterator."""
    which: Which = "g_ema"
    """Weights to read where a StyleGAN's file has both: their running mean, or, as g, the weights as trained."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps ..."""
    seed: int = 0
    """Seed of the random codes and projections."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.samples < 1:
            raise ValueError(f"samples must be 1 or more, got {self.samples}")
