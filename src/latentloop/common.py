"""Options that most jobs share: generator, device and seed."""

from dataclasses import dataclass

from latentloop.defaults import GENERATOR, Which
from latentloop.options import check_seed
from latentloop.stamps import neutral, stamped_as


@dataclass(frozen=True)
class Common:
    """Generator, device and random seed."""

    generator: str = stamped_as("weights_sha256", default=GENERATOR)
    """Name of a bundled generator, or the file of a StyleGAN: ours, or .pkl, .pt or .pth in its original format;
    on disk or, as hf://OWNER/REPO, on the Hugging Face Hub."""
    which: Which = stamped_as("weights_sha256", default="g_ema")
    """Generator to read if a StyleGAN's file has two. g_ema: the running mean of the weights. g: the raw weights."""
    device: str = neutral("auto")
    """Device: auto, cpu, cuda, cuda:1, mps ..."""
    seed: int = 0
    """Seed of all random numbers."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
