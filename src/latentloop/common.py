"""Options that most jobs share."""

from dataclasses import dataclass

from latentloop.defaults import GENERATOR, Which
from latentloop.options import check_seed
from latentloop.stamps import neutral, stamped_as


@dataclass(frozen=True)
class Common:
    """Generator, device and random seed."""

    generator: str = stamped_as("weights_sha256", default=GENERATOR)
    """A bundled generator, or the file of a StyleGAN: ours, or .pkl, .pt or .pth as its project wrote it."""
    which: Which = stamped_as("weights_sha256", default="g_ema")
    """Weights to read where a StyleGAN's file has both: their running mean, or, as g, the weights as trained."""
    device: str = neutral("auto")
    """Device: auto, cpu, cuda, cuda:1, mps ..."""
    seed: int = 0
    """Random seed."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
