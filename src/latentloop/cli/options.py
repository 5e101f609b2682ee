"""Options that several commands share."""

from dataclasses import dataclass

from latentloop.defaults import GENERATOR
from latentloop.options import check_seed


@dataclass(frozen=True)
class Common:
    """Where to compute, and with what."""

    generator: str = GENERATOR
    """A generator we ship, or a StyleGAN's file: ours, or .pkl, .pt or .pth as its project wrote it."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps ..."""
    seed: int = 0
    """Of everything random."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
